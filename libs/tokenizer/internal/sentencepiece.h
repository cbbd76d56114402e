#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/tokenizer/internal/pair_merger.h"
#include "libs/tokenizer/internal/vocabulary.h"
#include "libs/tokenizer/tokenizer.h"

namespace tokenizer {

// SentencePiece's BPE (Kudo and Richardson 2018, src/bpe_model.cc) as a GGUF file of model "llama" holds it: the code
// points of a text merge while the joined text is a piece, the piece of highest score first, the leftmost among equals.
// What is left without a piece is said byte by byte with the tokens <0x00> to <0xFF>.
//
// Pieces write a space as U+2581. Here they are kept with the space itself and U+2581 of a text is read as a space,
// which is the same one-to-one renaming seen from the other side, and costs no copy of the text.
//
// Threading: immutable after Build.
class SentencePieceEncoder {
 public:
  // A stretch of the text that is being encoded.
  struct Stretch {
    std::uint32_t begin = 0;
    std::uint32_t size = 0;
    TokenId id = kNoToken;  // kNoToken: a code point outside the vocabulary
  };
  // The merges of one text, as PairMerger wants them.
  class Rules {
   public:
    using Symbol = Stretch;
    struct Merge {
      std::uint32_t rank = 0;
      Stretch merged;
    };
    Rules() = default;
    Rules(const SentencePieceEncoder& encoder, std::string_view text) : encoder_(&encoder), text_(text) {}
    std::optional<Merge> Find(const Stretch& left, const Stretch& right) const;

   private:
    const SentencePieceEncoder* encoder_ = nullptr;
    std::string_view text_;
  };
  // Buffers of one call.
  struct Scratch {
    PairMerger<Rules> merger;
    std::vector<Stretch> symbols;
    std::vector<Stretch> merged;
  };

  // InvalidArgument: scores that are missing or not finite, a byte without a token. Unimplemented: a pre-tokenizer.
  // `vocabulary` outlives the encoder.
  static absl::StatusOr<SentencePieceEncoder> Build(const VocabularySpec& spec, const Vocabulary& vocabulary);

  // What text becomes before user-defined tokens are looked for in it: with the leading space that the model wants, and
  // U+2581 read as a space. The result is `text` itself or in `storage`.
  std::string_view Prepare(std::string_view text, std::string& storage) const;
  // Appends the tokens of a prepared stretch without user-defined tokens. REQUIRES: valid UTF-8.
  void Encode(std::string_view text, Scratch& scratch, std::vector<TokenId>& out) const;

 private:
  SentencePieceEncoder(const Vocabulary& vocabulary, bool add_space_prefix)
      : vocabulary_(&vocabulary), add_space_prefix_(add_space_prefix) {}
  void EncodePart(std::string_view text, Scratch& scratch, std::vector<TokenId>& out) const;

  const Vocabulary* vocabulary_;
  bool add_space_prefix_;
  std::vector<std::uint32_t> ranks_;  // by token id: the higher the score, the lower the rank; equal for equal scores
  std::size_t piece_bytes_max_ = 0;
};

}  // namespace tokenizer
