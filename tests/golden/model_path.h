#pragma once

#include <cstdlib>
#include <string>

#include "gtest/gtest.h"

namespace golden {

// The default model file: MESH_MODEL, or where `make model` puts it. A test that needs it fails without it, it is never
// skipped: a check that silently does not run is no check.
inline std::string ModelPath() {
  if (const char* path = std::getenv("MESH_MODEL"); path != nullptr && *path != '\0') return path;
  const char* source = std::getenv("MESH_SOURCE_DIR");
  return std::string(source == nullptr ? "." : source) + "/.run/models/SmolLM2-135M-Instruct.Q4_1.gguf";
}

// What to tell whoever runs the tests without the file.
inline constexpr const char* kModelHint = " - run `make model`, or set MESH_MODEL to the file";

inline std::string SourcePath(const std::string& relative) {
  const char* source = std::getenv("MESH_SOURCE_DIR");
  return std::string(source == nullptr ? "." : source) + "/" + relative;
}

}  // namespace golden
