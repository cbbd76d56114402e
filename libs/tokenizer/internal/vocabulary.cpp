#include "libs/tokenizer/internal/vocabulary.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "libs/base/str_cat.h"
#include "libs/tokenizer/internal/byte_alphabet.h"

namespace tokenizer {
namespace {

// A token's spelling in a message: it may be any bytes of the model file.
std::string Quoted(std::string_view text) {
  constexpr std::size_t kShownMax = 80;
  return base::StrCat("\"", absl::CHexEscape({text.data(), std::min(text.size(), kShownMax)}), "\"");
}

bool IsTokenType(std::int32_t number) {
  return number >= static_cast<std::int32_t>(TokenType::kNormal) &&
         number <= static_cast<std::int32_t>(TokenType::kByte);
}

// Control and user-defined tokens are looked for in text by their spelling.
absl::Status CheckSpecialName(std::string_view name, std::size_t index) {
  if (name.empty() || name.size() > kSpecialNameBytesMax) {
    return absl::InvalidArgumentError(base::StrCat("tokenizer.ggml.tokens[", index, "] is special and has a name of ",
                                                   name.size(), " bytes, not 1 to ", kSpecialNameBytesMax));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Vocabulary> Vocabulary::Build(const VocabularySpec& spec) {
  if (spec.tokens.empty() || spec.tokens.size() > kVocabularyMax) {
    return absl::InvalidArgumentError(
        base::StrCat("tokenizer.ggml.tokens holds ", spec.tokens.size(), " tokens, not 1 to ", kVocabularyMax));
  }
  if (spec.token_types.size() != spec.tokens.size()) {
    return absl::InvalidArgumentError(base::StrCat("tokenizer.ggml.tokens holds ", spec.tokens.size(),
                                                   " tokens, but tokenizer.ggml.token_type ", spec.token_types.size(),
                                                   " token types"));
  }
  if (spec.merges.size() > kMergesMax) {
    return absl::InvalidArgumentError(
        base::StrCat("tokenizer.ggml.merges holds ", spec.merges.size(), " merges, over the limit of ", kMergesMax));
  }
  Vocabulary vocabulary;
  IdByName ids;
  if (absl::Status status = vocabulary.AddTokens(spec, ids); !status.ok()) return status;
  if (absl::Status status = vocabulary.AddMerges(spec, ids); !status.ok()) return status;
  return vocabulary;
}

absl::Status Vocabulary::AddTokens(const VocabularySpec& spec, IdByName& ids) {
  ids.reserve(spec.tokens.size());
  // Reserved once: the tables keep views of these strings, so the vectors must not grow.
  names_.reserve(spec.tokens.size());
  bytes_.reserve(spec.tokens.size());
  types_.reserve(spec.tokens.size());
  words_.reserve(spec.tokens.size());
  for (std::size_t i = 0; i < spec.tokens.size(); ++i) {
    const std::string_view name = spec.tokens[i];
    const auto id = static_cast<TokenId>(i);
    if (!IsTokenType(spec.token_types[i])) {
      return absl::InvalidArgumentError(
          base::StrCat("tokenizer.ggml.token_type[", i, "] is no such type: ", spec.token_types[i]));
    }
    const auto type = static_cast<TokenType>(spec.token_types[i]);
    if (!ids.emplace(name, id).second) {
      return absl::InvalidArgumentError(
          base::StrCat("tokenizer.ggml.tokens[", i, "], ", Quoted(name), ", stands twice"));
    }
    names_.emplace_back(name);
    types_.push_back(type);
    if (type == TokenType::kControl || type == TokenType::kUserDefined) {
      if (absl::Status status = CheckSpecialName(name, i); !status.ok()) return status;
      (type == TokenType::kControl ? control_ : user_defined_).Add(names_.back(), id);
      bytes_.emplace_back(type == TokenType::kControl ? std::string_view() : name);
    } else {
      bytes_.push_back(SpelledBytes(name));
    }
    if (type == TokenType::kNormal) words_.emplace(bytes_.back(), id);
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto found = ids.find(SpellByte(static_cast<unsigned char>(byte)));
    byte_tokens_[byte] = found == ids.end() || type(found->second) == TokenType::kControl ? kNoToken : found->second;
  }
  return absl::OkStatus();
}

absl::Status Vocabulary::AddMerges(const VocabularySpec& spec, const IdByName& ids) {
  merges_.Reserve(spec.merges.size());
  std::string merged_name;
  for (std::size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const std::string_view rule = spec.merges[rank];
    // A token never contains a space itself (the alphabet spells it U+0120), so the first one behind a character
    // divides.
    const std::size_t space = rule.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == rule.size()) {
      return absl::InvalidArgumentError(
          base::StrCat("tokenizer.ggml.merges[", rank, "] is not two tokens: ", Quoted(rule)));
    }
    const std::string_view left_name = rule.substr(0, space);
    const std::string_view right_name = rule.substr(space + 1);
    merged_name.assign(left_name).append(right_name);
    const auto left = ids.find(left_name);
    const auto right = ids.find(right_name);
    const auto merged = ids.find(merged_name);
    if (left == ids.end() || right == ids.end() || merged == ids.end()) {
      return absl::InvalidArgumentError(base::StrCat("tokenizer.ggml.merges[", rank,
                                                     "] uses or makes a token outside the vocabulary: ", Quoted(rule)));
    }
    // Otherwise a user could spell a control token letter by letter.
    for (const TokenId id : {left->second, right->second, merged->second}) {
      if (type(id) == TokenType::kControl) {
        return absl::InvalidArgumentError(
            base::StrCat("tokenizer.ggml.merges[", rank, "] uses or makes a control token: ", Quoted(rule)));
      }
    }
    merges_.Add(left->second, right->second, {.rank = static_cast<std::uint32_t>(rank), .merged = merged->second});
  }
  return absl::OkStatus();
}

std::optional<TokenId> Vocabulary::FindWord(std::string_view word_bytes) const {
  const auto found = words_.find(word_bytes);
  if (found == words_.end()) return std::nullopt;
  return found->second;
}

}  // namespace tokenizer
