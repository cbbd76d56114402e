#include "libs/tokenizer/internal/bpe.h"

#include <optional>

#include "absl/status/status.h"
#include "libs/base/str_cat.h"
#include "libs/unicode/normalize.h"

namespace tokenizer {

absl::StatusOr<BpeEncoder> BpeEncoder::Build(const VocabularySpec& spec, const Vocabulary& vocabulary) {
  absl::StatusOr<PreTokenizer> pre = PreTokenizerByName(spec.pre);
  if (!pre.ok()) return pre.status();
  BpeEncoder encoder(vocabulary, *pre);
  if (absl::Status status = encoder.AddMerges(spec); !status.ok()) return status;
  return encoder;
}

absl::Status BpeEncoder::AddMerges(const VocabularySpec& spec) {
  if (spec.merges.size() > kMergesMax) {
    return absl::InvalidArgumentError(
        base::StrCat("tokenizer.ggml.merges holds ", spec.merges.size(), " merges, over the limit of ", kMergesMax));
  }
  merges_.Reserve(spec.merges.size());
  std::string merged_name;
  for (std::size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const std::string_view rule = spec.merges[rank];
    // A token never contains a space itself (the alphabet spells it U+0120), so the first one behind a character
    // divides.
    const std::size_t space = rule.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == rule.size()) {
      return absl::InvalidArgumentError(
          base::StrCat("tokenizer.ggml.merges[", rank, "] is not two tokens: ", QuotedToken(rule)));
    }
    const std::string_view left_name = rule.substr(0, space);
    const std::string_view right_name = rule.substr(space + 1);
    merged_name.assign(left_name).append(right_name);
    const std::optional<TokenId> left = vocabulary_->FindName(left_name);
    const std::optional<TokenId> right = vocabulary_->FindName(right_name);
    const std::optional<TokenId> merged = vocabulary_->FindName(merged_name);
    if (!left.has_value() || !right.has_value() || !merged.has_value()) {
      return absl::InvalidArgumentError(base::StrCat(
          "tokenizer.ggml.merges[", rank, "] uses or makes a token outside the vocabulary: ", QuotedToken(rule)));
    }
    // Otherwise a user could spell a control token letter by letter.
    for (const TokenId id : {*left, *right, *merged}) {
      if (vocabulary_->type(id) == TokenType::kControl) {
        return absl::InvalidArgumentError(
            base::StrCat("tokenizer.ggml.merges[", rank, "] uses or makes a control token: ", QuotedToken(rule)));
      }
    }
    merges_.Add(*left, *right, {.rank = static_cast<std::uint32_t>(rank), .merged = *merged});
  }
  return absl::OkStatus();
}

void BpeEncoder::Encode(std::string_view text, Scratch& scratch, std::vector<TokenId>& out) const {
  std::string normalized;
  if (NormalizesToNfc(pre_)) {
    normalized = unicode::NormalizeNfc(text);
    text = normalized;
  }
  WordSplitter words(pre_, text);
  while (const std::optional<std::string_view> word = words.Next()) {
    for (std::size_t at = 0; at < word->size(); at += kMergedBytesMax) {
      EncodeWord(word->substr(at, kMergedBytesMax), scratch, out);
    }
  }
}

void BpeEncoder::EncodeWord(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const {
  // Llama 3 takes a word that is in the vocabulary whole, even where its merges would not reach it (`ignore_merges`).
  if (pre_ == PreTokenizer::kLlama3) {
    if (const std::optional<TokenId> id = vocabulary_->FindWord(word); id.has_value()) {
      out.push_back(*id);
      return;
    }
  }
  scratch.symbols.clear();
  for (const char byte : word) {
    // A byte without a token is left out, as in the reference: its neighbours become neighbours.
    const TokenId id = vocabulary_->ByteToken(static_cast<unsigned char>(byte));
    if (id != kNoToken) scratch.symbols.push_back(id);
  }
  scratch.merger.Merge(merges_, scratch.symbols, out);
}

}  // namespace tokenizer
