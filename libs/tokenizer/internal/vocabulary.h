#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/tokenizer/internal/special_matcher.h"
#include "libs/tokenizer/internal/string_table.h"
#include "libs/tokenizer/tokenizer.h"

namespace tokenizer {

inline constexpr std::size_t kVocabularyMax = 1U << 20;  // the largest published vocabulary has 262,144 tokens
inline constexpr std::size_t kMergesMax = 4U << 20;
inline constexpr std::size_t kSpecialNameBytesMax = 256;
inline constexpr TokenId kNoToken = -1;
inline constexpr std::string_view kSpaceMark = "\u2581";  // how SentencePiece writes a space

// How the names of a vocabulary write bytes.
enum class Spelling {
  kByteAlphabet,   // GPT-2's alphabet, one code point a byte
  kSentencePiece,  // text with U+2581 for a space; bytes as <0xNN>
};

// Numbered as `tokenizer.ggml.token_type`.
enum class TokenType : std::int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

// A token's spelling in a message: it may be any bytes of the model file.
std::string QuotedToken(std::string_view name);

// Appends `text` with a space for each U+2581.
void AppendWithSpaces(std::string_view text, std::string& out);

// The tokens of one model, by id, by spelling and by what they stand for. Checked: names are unique, and no byte is a
// control token. Immutable after Build; encoders keep a pointer to it.
class Vocabulary {
 public:
  static absl::StatusOr<std::unique_ptr<const Vocabulary>> Build(const VocabularySpec& spec, Spelling spelling);

  Vocabulary(const Vocabulary&) = delete;  // its tables hold views into its own strings
  Vocabulary& operator=(const Vocabulary&) = delete;

  std::size_t size() const { return names_.size(); }
  bool Contains(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < names_.size(); }
  // REQUIRES for the three: Contains(id). `bytes` is what the token stands for, empty for control tokens.
  std::string_view name(TokenId id) const { return names_[static_cast<std::size_t>(id)]; }
  std::string_view bytes(TokenId id) const { return bytes_[static_cast<std::size_t>(id)]; }
  TokenType type(TokenId id) const { return types_[static_cast<std::size_t>(id)]; }

  // The token of one byte, or kNoToken: vocabularies leave out bytes that their training text did not have.
  TokenId ByteToken(unsigned char byte) const { return byte_tokens_[byte]; }
  std::optional<TokenId> FindName(std::string_view name) const { return FindIn(by_name_, name); }
  // The normal token that stands for exactly these bytes.
  std::optional<TokenId> FindWord(std::string_view word_bytes) const { return FindIn(words_, word_bytes); }

  const SpecialMatcher& control() const { return control_; }            // by name
  const SpecialMatcher& user_defined() const { return user_defined_; }  // by bytes

 private:
  // A set of ids that is searched by their text: 5 bytes a token, where a map from views to ids takes 25.
  struct Text {
    using is_transparent = void;
    const StringTable* table;
    std::string_view Of(TokenId id) const { return (*table)[static_cast<std::size_t>(id)]; }
    std::string_view Of(std::string_view text) const { return text; }
  };
  struct TextHash : Text {
    template <typename Key>
    std::size_t operator()(const Key& key) const {
      return absl::Hash<std::string_view>()(Of(key));
    }
  };
  struct TextEqual : Text {
    template <typename Left, typename Right>
    bool operator()(const Left& left, const Right& right) const {
      return Of(left) == Of(right);
    }
  };
  using IdsByText = absl::flat_hash_set<TokenId, TextHash, TextEqual>;

  Vocabulary() = default;
  static std::optional<TokenId> FindIn(const IdsByText& ids, std::string_view text) {
    const auto found = ids.find(text);
    return found == ids.end() ? std::nullopt : std::optional<TokenId>(*found);
  }
  absl::Status AddToken(std::string_view name, TokenType type, Spelling spelling);
  absl::Status AddByte(std::string_view name, TokenId id);
  void FindBytesOfAlphabet();

  StringTable names_;  // as the file spells them
  StringTable bytes_;
  std::vector<TokenType> types_;
  std::array<TokenId, 256> byte_tokens_{};
  IdsByText by_name_{0, TextHash{{&names_}}, TextEqual{{&names_}}};
  IdsByText words_{0, TextHash{{&bytes_}}, TextEqual{{&bytes_}}};  // normal tokens only
  SpecialMatcher control_;
  SpecialMatcher user_defined_;
};

}  // namespace tokenizer
