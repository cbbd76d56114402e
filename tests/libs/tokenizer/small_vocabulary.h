#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/tokenizer/internal/byte_alphabet.h"
#include "libs/tokenizer/tokenizer.h"

namespace tokenizer {

// A vocabulary for tests: ids 0 to 255 are the bytes, then one token for each merge in order, then the control tokens
// and the user-defined tokens. Owns the strings that spec() points into.
class SmallVocabulary {
 public:
  // `merges` are written as in a file, in the byte alphabet ("a b").
  explicit SmallVocabulary(std::vector<std::string> merges, std::string_view pre = "gpt-2")
      : merges_(std::move(merges)) {
    for (unsigned byte = 0; byte < 256; ++byte) Add(SpellByte(static_cast<unsigned char>(byte)), 1);
    for (const std::string& merge : merges_) {
      std::string joined = merge;
      joined.erase(joined.find(' ', 1), 1);
      Add(joined, 1);
    }
    for (const char* name : {"<|begin|>", "<|end|>", "<|endless|>"}) Add(name, 3);
    for (const char* name : {"<think>", "</think>"}) Add(name, 4);
    pre_ = pre;
  }

  void Add(std::string name, std::int32_t type) {
    tokens_.push_back(std::move(name));
    types_.push_back(type);
  }
  TokenId IdOf(std::string_view name) const {
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i] == name) return static_cast<TokenId>(i);
    }
    return -1;
  }
  VocabularySpec spec() const {
    VocabularySpec spec;
    spec.model = "gpt2";
    spec.pre = pre_;
    spec.tokens.assign(tokens_.begin(), tokens_.end());
    spec.token_types = types_;
    spec.merges.assign(merges_.begin(), merges_.end());
    return spec;
  }

 private:
  std::vector<std::string> tokens_;
  std::vector<std::int32_t> types_;
  std::vector<std::string> merges_;
  std::string pre_;
};

}  // namespace tokenizer
