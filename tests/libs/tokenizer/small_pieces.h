#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/tokenizer/tokenizer.h"

namespace tokenizer {

// A SentencePiece vocabulary for tests: ids 0 to 2 are <unk>, <s> and </s>, ids 3 to 258 the bytes, then the pieces in
// the order given, each with a lower score than the one before. Owns the strings that spec() points into.
class SmallPieces {
 public:
  static constexpr TokenId kFirstByte = 3;

  explicit SmallPieces(std::vector<std::string> pieces, bool add_space_prefix = false)
      : add_space_prefix_(add_space_prefix) {
    Add("<unk>", 2, 0.0F);
    Add("<s>", 3, 0.0F);
    Add("</s>", 3, 0.0F);
    for (int byte = 0; byte < 256; ++byte) {
      char name[8];
      std::snprintf(name, sizeof name, "<0x%02X>", byte);
      Add(name, 6, 0.0F);
    }
    float score = 0.0F;
    for (std::string& piece : pieces) Add(std::move(piece), 1, --score);
  }

  TokenId Add(std::string name, std::int32_t type, float score) {
    tokens_.push_back(std::move(name));
    types_.push_back(type);
    scores_.push_back(score);
    return static_cast<TokenId>(tokens_.size() - 1);
  }
  VocabularySpec spec() const {
    VocabularySpec spec;
    spec.model = "llama";
    spec.tokens.assign(tokens_.begin(), tokens_.end());
    spec.token_types = types_;
    spec.scores = scores_;
    spec.bos_id = 1;
    spec.eos_id = 2;
    spec.add_bos = true;
    spec.add_space_prefix = add_space_prefix_;
    return spec;
  }

 private:
  std::vector<std::string> tokens_;
  std::vector<std::int32_t> types_;
  std::vector<float> scores_;
  bool add_space_prefix_;
};

}  // namespace tokenizer
