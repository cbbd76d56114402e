# The project's four kinds of target. Sources are always listed by hand.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

set(MESH_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Wvla -Walloca -Werror)
# gcc 12 sees an overlap in every `"literal" + std::string` that it inlines (gcc bug 105651).
list(APPEND MESH_WARNINGS -Wno-restrict)
set(MESH_HARDENING -fstack-protector-strong -fcf-protection -D_GLIBCXX_ASSERTIONS)
set(MESH_SANITIZE "" CACHE STRING "address,undefined or thread; empty for none")
if(MESH_SANITIZE)
  add_compile_options(-fsanitize=${MESH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MESH_SANITIZE})
else()
  list(APPEND MESH_HARDENING $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()

add_custom_target(binaries)    # every deployable and tool, no tests
add_custom_target(unit_tests)  # every test that starts no broker and no store

function(_mesh_common target)
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(${target} PRIVATE ${MESH_WARNINGS} ${MESH_HARDENING})
endfunction()

# mesh_library(bus SRCS a.cpp b.cpp DEPS mesh::base PRIVATE_DEPS rdkafka)  ->  target mesh::bus
# DEPS are visible through the library's public headers; PRIVATE_DEPS only in its .cpp files.
function(mesh_library name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  if(ARG_SRCS)
    add_library(mesh_${name} STATIC ${ARG_SRCS})
    _mesh_common(mesh_${name})
    target_link_libraries(mesh_${name} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
  else()
    add_library(mesh_${name} INTERFACE)
    target_include_directories(mesh_${name} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(mesh_${name} INTERFACE ${ARG_DEPS})
  endif()
  add_library(mesh::${name} ALIAS mesh_${name})
endfunction()

# mesh_executable(gateway SRCS main.cpp DEPS mesh::gateway_app)  ->  build/bin/gateway
function(mesh_executable name)
  cmake_parse_arguments(ARG "" "" "SRCS;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  _mesh_common(${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS})
  add_dependencies(binaries ${name})
endfunction()

# mesh_test(offset_tracker_test SRCS offset_tracker_test.cpp DEPS mesh::bus [LABELS integration] [TIMEOUT 60])
# One ctest entry a binary: discovery of single cases would start each binary once a case.
function(mesh_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SRCS;DEPS;LABELS;ARGS" ${ARGN})
  add_executable(${name} ${ARG_SRCS})
  _mesh_common(${name})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_property(TEST ${name} PROPERTY ENVIRONMENT MESH_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY} MESH_SOURCE_DIR=${CMAKE_SOURCE_DIR})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  if(MESH_SANITIZE)
    math(EXPR ARG_TIMEOUT "5 * ${ARG_TIMEOUT}")  # it only has to end what hangs, on a slow machine too
  endif()
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(ARG_LABELS STREQUAL "unit")
    add_dependencies(unit_tests ${name})
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
  if("gpu" IN_LIST ARG_LABELS)
    set_tests_properties(${name} PROPERTIES RESOURCE_LOCK card)  # some take all memory that is free on it
  endif()
endfunction()
