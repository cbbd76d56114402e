#include "libs/tokenizer/internal/vocabulary.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/escaping.h"
#include "libs/base/str_cat.h"
#include "libs/tokenizer/internal/byte_alphabet.h"

namespace tokenizer {
namespace {

bool IsTokenType(std::int32_t number) {
  return number >= static_cast<std::int32_t>(TokenType::kNormal) &&
         number <= static_cast<std::int32_t>(TokenType::kByte);
}

bool IsSpecial(TokenType type) { return type == TokenType::kControl || type == TokenType::kUserDefined; }

// "<0x0A>" -> 10
std::optional<unsigned char> ByteOfName(std::string_view name) {
  if (name.size() != 6 || !name.starts_with("<0x") || name.back() != '>') return std::nullopt;
  unsigned char byte = 0;
  const char* end = name.data() + 5;
  const auto result = std::from_chars(name.data() + 3, end, byte, 16);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return byte;
}

}  // namespace

std::string QuotedToken(std::string_view name) {
  constexpr std::size_t kShownMax = 80;
  return base::StrCat("\"", absl::CHexEscape({name.data(), std::min(name.size(), kShownMax)}), "\"");
}

void AppendWithSpaces(std::string_view text, std::string& out) {
  while (true) {
    const std::size_t mark = text.find(kSpaceMark);
    out.append(text.substr(0, mark));
    if (mark == std::string_view::npos) return;
    out.push_back(' ');
    text.remove_prefix(mark + kSpaceMark.size());
  }
}

absl::StatusOr<std::unique_ptr<const Vocabulary>> Vocabulary::Build(const VocabularySpec& spec, Spelling spelling) {
  const std::size_t count = spec.tokens.size();
  if (count == 0 || count > kVocabularyMax) {
    return absl::InvalidArgumentError(
        base::StrCat("tokenizer.ggml.tokens holds ", count, " tokens, not 1 to ", kVocabularyMax));
  }
  if (spec.token_types.size() != count) {
    return absl::InvalidArgumentError(base::StrCat("tokenizer.ggml.tokens holds ", count,
                                                   " tokens, but tokenizer.ggml.token_type ", spec.token_types.size(),
                                                   " token types"));
  }
  std::unique_ptr<Vocabulary> vocabulary(new Vocabulary());
  // Reserved once: the tables keep views of these strings. What a token stands for is never longer than its name.
  std::size_t text_bytes = 0;
  for (const std::string_view name : spec.tokens) text_bytes += name.size();
  vocabulary->names_.Reserve(count, text_bytes);
  vocabulary->bytes_.Reserve(count, text_bytes);
  vocabulary->types_.reserve(count);
  vocabulary->by_name_.reserve(count);
  vocabulary->words_.reserve(count);
  vocabulary->byte_tokens_.fill(kNoToken);
  for (std::size_t i = 0; i < count; ++i) {
    if (!IsTokenType(spec.token_types[i])) {
      return absl::InvalidArgumentError(
          base::StrCat("tokenizer.ggml.token_type[", i, "] is no such type: ", spec.token_types[i]));
    }
    const auto type = static_cast<TokenType>(spec.token_types[i]);
    if (absl::Status status = vocabulary->AddToken(spec.tokens[i], type, spelling); !status.ok()) return status;
  }
  if (spelling == Spelling::kByteAlphabet) vocabulary->FindBytesOfAlphabet();
  return vocabulary;
}

absl::Status Vocabulary::AddToken(std::string_view name, TokenType type, Spelling spelling) {
  const auto id = static_cast<TokenId>(names_.size());
  // Control and user-defined tokens are looked for in text by their spelling.
  if (IsSpecial(type) && (name.empty() || name.size() > kSpecialNameBytesMax)) {
    return absl::InvalidArgumentError(base::StrCat("tokenizer.ggml.tokens[", id, "] is special and has a name of ",
                                                   name.size(), " bytes, not 1 to ", kSpecialNameBytesMax));
  }
  const std::string_view own_name = names_.Add(name);
  types_.push_back(type);
  if (!by_name_.insert(id).second) {
    return absl::InvalidArgumentError(
        base::StrCat("tokenizer.ggml.tokens[", id, "], ", QuotedToken(name), ", stands twice"));
  }
  if (type == TokenType::kControl) {
    control_.Add(own_name, id);
    bytes_.Add("");
    return absl::OkStatus();
  }
  if (spelling == Spelling::kSentencePiece) {
    if (type == TokenType::kByte) return AddByte(name, id);
    std::string bytes;
    if (type != TokenType::kUnknown) AppendWithSpaces(name, bytes);
    bytes_.Add(bytes);
  } else {
    bytes_.Add(type == TokenType::kUserDefined ? std::string(name) : SpelledBytes(name));
  }
  if (type == TokenType::kUserDefined) user_defined_.Add(bytes_[static_cast<std::size_t>(id)], id);
  if (type == TokenType::kNormal) words_.insert(id);
  return absl::OkStatus();
}

absl::Status Vocabulary::AddByte(std::string_view name, TokenId id) {
  const std::optional<unsigned char> byte = ByteOfName(name);
  if (!byte.has_value()) {
    return absl::InvalidArgumentError(
        base::StrCat("tokenizer.ggml.tokens[", id, "] is a byte but not spelled <0xNN>: ", QuotedToken(name)));
  }
  byte_tokens_[*byte] = id;
  const char as_char = static_cast<char>(*byte);
  bytes_.Add({&as_char, 1});
  return absl::OkStatus();
}

void Vocabulary::FindBytesOfAlphabet() {
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::optional<TokenId> id = FindName(SpellByte(static_cast<unsigned char>(byte)));
    if (id.has_value() && type(*id) != TokenType::kControl) byte_tokens_[byte] = *id;
  }
}

}  // namespace tokenizer
