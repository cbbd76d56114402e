# The device kernels, for a card or for the emulator.
#
# MESH_CUDA=ON: nvcc from CUDA_HOME, /usr/local/cuda or .run/cuda (scripts/cuda/fetch_toolkit.sh). nvcc is called by
# custom commands, not through CMake's CUDA language: the PyPI toolkit has versioned libraries alone and no layout that
# CMake's compiler check accepts. The runtime is linked statically; cuBLASLt and NCCL are opened at run time, so that a
# binary starts on a machine without them.
option(MESH_CUDA "Build the device kernels with nvcc; OFF: for the emulator" OFF)
# Real code for Ampere, Hopper (with its tensor-core instructions) and Blackwell; PTX for what comes later.
set(MESH_CUDA_ARCHS "80;90a;100" CACHE STRING "Compute capabilities to compile for; 80 90a 100 in a release")

if(MESH_CUDA)
  find_program(NVCC_PROGRAM nvcc
    HINTS $ENV{CUDA_HOME}/bin /usr/local/cuda/bin ${CMAKE_SOURCE_DIR}/.run/cuda/nvidia/cu13/bin NO_DEFAULT_PATH REQUIRED)
  cmake_path(GET NVCC_PROGRAM PARENT_PATH MESH_CUDA_HOME)
  cmake_path(GET MESH_CUDA_HOME PARENT_PATH MESH_CUDA_HOME)
  find_file(CUDART_STATIC libcudart_static.a HINTS ${MESH_CUDA_HOME}/lib ${MESH_CUDA_HOME}/lib64 NO_DEFAULT_PATH REQUIRED)
  message(STATUS "CUDA toolkit: ${MESH_CUDA_HOME}, compute capabilities ${MESH_CUDA_ARCHS}")
  add_library(mesh_cuda_toolkit INTERFACE)
  target_include_directories(mesh_cuda_toolkit SYSTEM INTERFACE ${MESH_CUDA_HOME}/include)
  target_link_libraries(mesh_cuda_toolkit INTERFACE ${CUDART_STATIC} Threads::Threads ${CMAKE_DL_LIBS} rt)
  set(MESH_NVCC_FLAGS -std=c++20 -O3 -lineinfo --expt-relaxed-constexpr -Xcompiler=-fPIC,-Wall,-Wextra -Werror=all-warnings)
  foreach(arch ${MESH_CUDA_ARCHS})
    set(code sm_${arch})
    if(arch STREQUAL 100)  # without a letter its PTX runs on every later card, compiled there by the driver
      set(code [sm_100,compute_100])
    endif()
    list(APPEND MESH_NVCC_FLAGS -gencode=arch=compute_${arch},code=${code})
  endforeach()
  if(CCACHE_PROGRAM)
    set(MESH_NVCC_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
  endif()
endif()

# mesh_gpu_library(kernels_gpu CU a.cu CUDA_SRCS b.cpp EMULATOR_SRCS c.cpp DEPS d)  ->  target mesh::kernels_gpu
# CU is compiled by nvcc, or as C++ for the emulator; CUDA_CU (by nvcc), CUDA_SRCS and EMULATOR_SRCS belong to one of the two.
function(mesh_gpu_library name)
  cmake_parse_arguments(ARG "" "" "CU;CUDA_CU;CUDA_SRCS;EMULATOR_SRCS;DEPS" ${ARGN})
  if(NOT MESH_CUDA)
    set_source_files_properties(${ARG_CU} PROPERTIES LANGUAGE CXX)
    mesh_library(${name} SRCS ${ARG_CU} ${ARG_EMULATOR_SRCS} DEPS ${ARG_DEPS})
    target_compile_definitions(mesh_${name} PUBLIC GPU_EMULATOR)
    target_compile_options(mesh_${name} PUBLIC -Wno-unknown-pragmas PRIVATE -O2 -x c++ -Wno-conversion -Wno-shadow)
    return()
  endif()
  set(objects)
  foreach(source ${ARG_CU} ${ARG_CUDA_CU})
    string(REPLACE "/" "_" object ${source})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${object}.o)
    add_custom_command(OUTPUT ${object}
      COMMAND ${MESH_NVCC_LAUNCHER} ${NVCC_PROGRAM} ${MESH_NVCC_FLAGS} -I${CMAKE_SOURCE_DIR} -MD -MF ${object}.d
              -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
      DEPENDS ${source} DEPFILE ${object}.d COMMENT "Building CUDA object ${source}.o" VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set_source_files_properties(${objects} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  mesh_library(${name} SRCS ${ARG_CUDA_SRCS} ${objects} DEPS ${ARG_DEPS} mesh_cuda_toolkit)
  set_target_properties(mesh_${name} PROPERTIES LINKER_LANGUAGE CXX)  # there may be objects alone
  target_compile_definitions(mesh_${name} PRIVATE MESH_CUDA_HOME="${MESH_CUDA_HOME}")  # where libraries are looked for last
endfunction()
