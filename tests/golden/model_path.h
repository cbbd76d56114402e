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

// Gemma 3 270M: MESH_GEMMA, or where `make model-gemma` puts it. The file is large and its terms are not those of free
// software, so that not everybody has it: `make test` brings it, and where it is missing tests that need it are skipped
// and say so.
inline std::string GemmaPath() {
  if (const char* path = std::getenv("MESH_GEMMA"); path != nullptr && *path != '\0') return path;
  const char* source = std::getenv("MESH_SOURCE_DIR");
  return std::string(source == nullptr ? "." : source) + "/.run/models/gemma-3-270m-q4_k_m.gguf";
}
inline constexpr const char* kGemmaHint = " is missing - run `make model-gemma`, or set MESH_GEMMA to the file";

// What to tell whoever runs the tests without the file.
inline constexpr const char* kModelHint = " - run `make model`, or set MESH_MODEL to the file";

inline std::string SourcePath(const std::string& relative) {
  const char* source = std::getenv("MESH_SOURCE_DIR");
  return std::string(source == nullptr ? "." : source) + "/" + relative;
}

}  // namespace golden
