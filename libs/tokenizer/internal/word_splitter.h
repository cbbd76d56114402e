#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"

namespace tokenizer {

// The pre-tokenizers: each is a regular expression of the model's author that cuts text into words, within which alone
// BPE merges. Names are those of `tokenizer.ggml.pre`; the expressions are in word_splitter.cpp beside their matchers.
enum class PreTokenizer { kGpt2, kSmolLm, kLlama3, kQwen2 };

// Unimplemented for a name that is not supported; the message lists those that are.
absl::StatusOr<PreTokenizer> PreTokenizerByName(std::string_view name);

// True when text is brought to Unicode NFC before it is cut (Qwen's `normalizer`).
bool NormalizesToNfc(PreTokenizer kind);

// Cuts one text into its words, in order; their concatenation is the text. Matchers are written by hand: no regular
// expression engine, no backtracking, linear time.
class WordSplitter {
 public:
  // REQUIRES: `text` is valid UTF-8 and outlives the splitter.
  WordSplitter(PreTokenizer kind, std::string_view text) : kind_(kind), text_(text) {}

  std::optional<std::string_view> Next();

 private:
  PreTokenizer kind_;
  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t stretch_end_ = 0;  // kSmolLm: where the text without digits around at_ ends
};

}  // namespace tokenizer
