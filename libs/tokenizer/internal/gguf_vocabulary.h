#pragma once

#include "absl/status/statusor.h"
#include "libs/tensor/gguf.h"
#include "libs/tokenizer/tokenizer.h"

namespace tokenizer {

// The `tokenizer.ggml.*` metadata of a model file, unchecked but for their types. The views point into `file`.
absl::StatusOr<VocabularySpec> VocabularySpecOf(const tensor::GgufFile& file);

}  // namespace tokenizer
