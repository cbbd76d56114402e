#include "libs/tokenizer/internal/sentencepiece.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/status/status.h"
#include "libs/base/str_cat.h"
#include "libs/unicode/utf8.h"

namespace tokenizer {
namespace {

// Longer pieces are refused: a lookup costs the length of its text, so they would cost the time of an attack, and no
// trainer makes them (SentencePiece's limit is 16 code points unless changed).
constexpr std::size_t kPieceBytesMax = 1024;

// Numbers in the reverse order of finite floats: IEEE 754 bits order like sign-magnitude integers.
std::uint32_t RankOfScore(float score) {
  constexpr std::uint32_t kSign = 0x8000'0000U;
  const auto bits = std::bit_cast<std::uint32_t>(score == 0.0F ? 0.0F : score);  // -0 equals 0
  const std::uint32_t ascending = (bits & kSign) != 0 ? ~bits : bits | kSign;
  return ~ascending;
}

}  // namespace

absl::StatusOr<SentencePieceEncoder> SentencePieceEncoder::Build(const VocabularySpec& spec,
                                                                 const Vocabulary& vocabulary) {
  if (!spec.pre.empty() && spec.pre != "default") {
    return absl::UnimplementedError(base::StrCat("tokenizer.ggml.pre ", QuotedToken(spec.pre),
                                                 " is not supported for SentencePiece (default, or none, is)"));
  }
  if (spec.scores.size() != vocabulary.size()) {
    return absl::InvalidArgumentError(base::StrCat("tokenizer.ggml.tokens holds ", vocabulary.size(),
                                                   " tokens, but tokenizer.ggml.scores ", spec.scores.size(),
                                                   " scores"));
  }
  SentencePieceEncoder encoder(vocabulary, spec.add_space_prefix);
  encoder.ranks_.reserve(vocabulary.size());
  for (std::size_t i = 0; i < vocabulary.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (!std::isfinite(spec.scores[i])) {
      return absl::InvalidArgumentError(base::StrCat("tokenizer.ggml.scores[", i, "] is not a finite number"));
    }
    encoder.ranks_.push_back(RankOfScore(spec.scores[i]));
    if (vocabulary.type(id) != TokenType::kNormal) continue;
    const std::size_t bytes = vocabulary.bytes(id).size();
    if (bytes > kPieceBytesMax) {
      return absl::InvalidArgumentError(
          base::StrCat("tokenizer.ggml.tokens[", i, "] has ", bytes, " bytes; the limit is ", kPieceBytesMax));
    }
    encoder.piece_bytes_max_ = std::max(encoder.piece_bytes_max_, bytes);
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (vocabulary.ByteToken(static_cast<unsigned char>(byte)) == kNoToken) {
      return absl::InvalidArgumentError(base::StrCat("tokenizer.ggml.tokens holds no token for the byte ", byte));
    }
  }
  return encoder;
}

std::optional<SentencePieceEncoder::Rules::Merge> SentencePieceEncoder::Rules::Find(const Stretch& left,
                                                                                    const Stretch& right) const {
  const std::uint32_t size = left.size + right.size;
  if (size > encoder_->piece_bytes_max_) return std::nullopt;
  const std::optional<TokenId> id = encoder_->vocabulary_->FindWord(text_.substr(left.begin, size));
  if (!id.has_value()) return std::nullopt;
  return Merge{.rank = encoder_->ranks_[static_cast<std::size_t>(*id)],
               .merged = {.begin = left.begin, .size = size, .id = *id}};
}

std::string_view SentencePieceEncoder::Prepare(std::string_view text, std::string& storage) const {
  if (text.empty()) return text;
  if (!add_space_prefix_ && text.find(kSpaceMark) == std::string_view::npos) return text;
  storage.assign(add_space_prefix_ ? " " : "");
  AppendWithSpaces(text, storage);
  return storage;
}

void SentencePieceEncoder::Encode(std::string_view text, Scratch& scratch, std::vector<TokenId>& out) const {
  while (!text.empty()) {
    const std::size_t size =
        text.size() <= kMergedBytesMax ? text.size() : unicode::CompleteUtf8Prefix(text.substr(0, kMergedBytesMax));
    EncodePart(text.substr(0, size), scratch, out);
    text.remove_prefix(size);
  }
}

void SentencePieceEncoder::EncodePart(std::string_view text, Scratch& scratch, std::vector<TokenId>& out) const {
  scratch.symbols.clear();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = unicode::DecodeUtf8(text, at).length;
    scratch.symbols.push_back({.begin = static_cast<std::uint32_t>(at),
                               .size = static_cast<std::uint32_t>(length),
                               .id = vocabulary_->FindWord(text.substr(at, length)).value_or(kNoToken)});
    at += length;
  }
  scratch.merged.clear();
  scratch.merger.Merge(Rules(*this, text), scratch.symbols, scratch.merged);
  for (const Stretch& stretch : scratch.merged) {
    if (stretch.id != kNoToken) {
      out.push_back(stretch.id);
      continue;
    }
    for (const char byte : text.substr(stretch.begin, stretch.size)) {
      out.push_back(vocabulary_->ByteToken(static_cast<unsigned char>(byte)));
    }
  }
}

}  // namespace tokenizer
