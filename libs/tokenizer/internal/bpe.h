#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "libs/tokenizer/internal/pair_merger.h"
#include "libs/tokenizer/internal/vocabulary.h"
#include "libs/tokenizer/internal/word_splitter.h"
#include "libs/tokenizer/tokenizer.h"

namespace tokenizer {

// The merge rules of a vocabulary: two neighbouring tokens become one; a lower rank goes first.
class MergeTable {
 public:
  using Symbol = TokenId;
  struct Merge {
    std::uint32_t rank = 0;
    TokenId merged = 0;
  };

  void Reserve(std::size_t count) { merges_.reserve(count); }
  // A pair that is added twice keeps its last rule, as in the reference.
  void Add(TokenId left, TokenId right, Merge merge) { merges_[Key(left, right)] = merge; }
  const Merge* Find(TokenId left, TokenId right) const {
    const auto found = merges_.find(Key(left, right));
    return found == merges_.end() ? nullptr : &found->second;
  }

 private:
  static std::uint64_t Key(TokenId left, TokenId right) {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) | static_cast<std::uint32_t>(right);
  }

  absl::flat_hash_map<std::uint64_t, Merge> merges_;
};

// Byte-level BPE (Sennrich et al. 2016, with GPT-2's byte alphabet): text is cut into words by the model's
// pre-tokenizer, and the bytes of each word merge by the table.
//
// Threading: immutable after Build.
class BpeEncoder {
 public:
  // Buffers of one call.
  struct Scratch {
    PairMerger<MergeTable> merger;
    std::vector<TokenId> symbols;
  };

  // InvalidArgument: a merge of unknown tokens, or one that makes a control token. Unimplemented: the pre-tokenizer.
  // `vocabulary` outlives the encoder.
  static absl::StatusOr<BpeEncoder> Build(const VocabularySpec& spec, const Vocabulary& vocabulary);

  // What text becomes before user-defined tokens are looked for in it: itself.
  std::string_view Prepare(std::string_view text, std::string& /*storage*/) const { return text; }
  // Appends the tokens of a stretch without user-defined tokens. REQUIRES: valid UTF-8.
  void Encode(std::string_view text, Scratch& scratch, std::vector<TokenId>& out) const;

 private:
  BpeEncoder(const Vocabulary& vocabulary, PreTokenizer pre) : vocabulary_(&vocabulary), pre_(pre) {}
  absl::Status AddMerges(const VocabularySpec& spec);
  void EncodeWord(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const;

  const Vocabulary* vocabulary_;
  PreTokenizer pre_;
  MergeTable merges_;
};

}  // namespace tokenizer
