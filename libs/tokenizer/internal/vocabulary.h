#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/tokenizer/internal/bpe.h"
#include "libs/tokenizer/internal/special_matcher.h"
#include "libs/tokenizer/tokenizer.h"

namespace tokenizer {

inline constexpr std::size_t kVocabularyMax = 1U << 20;  // the largest published vocabulary has 262,144 tokens
inline constexpr std::size_t kMergesMax = 4U << 20;
inline constexpr std::size_t kSpecialNameBytesMax = 256;
inline constexpr TokenId kNoToken = -1;

// Numbered as `tokenizer.ggml.token_type`.
enum class TokenType : std::int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

// The tables of one vocabulary, checked: every id in them is inside it, and no byte and no merge leads to a control
// token. Immutable after Build.
class Vocabulary {
 public:
  static absl::StatusOr<Vocabulary> Build(const VocabularySpec& spec);

  Vocabulary(Vocabulary&&) = default;  // the tables hold views into `names_` and `bytes_`, which a move leaves in place
  Vocabulary& operator=(Vocabulary&&) = default;
  Vocabulary(const Vocabulary&) = delete;

  std::size_t size() const { return names_.size(); }
  bool Contains(TokenId id) const { return id >= 0 && static_cast<std::size_t>(id) < names_.size(); }
  // REQUIRES for the three: Contains(id).
  std::string_view name(TokenId id) const { return names_[static_cast<std::size_t>(id)]; }
  std::string_view bytes(TokenId id) const { return bytes_[static_cast<std::size_t>(id)]; }
  TokenType type(TokenId id) const { return types_[static_cast<std::size_t>(id)]; }

  // The token of one byte, or kNoToken: vocabularies leave out bytes that their training text did not have.
  TokenId ByteToken(unsigned char byte) const { return byte_tokens_[byte]; }
  // The normal token that stands for exactly these bytes.
  std::optional<TokenId> FindWord(std::string_view word_bytes) const;

  const MergeTable& merges() const { return merges_; }
  const SpecialMatcher& control() const { return control_; }
  const SpecialMatcher& user_defined() const { return user_defined_; }

 private:
  using IdByName = absl::flat_hash_map<std::string_view, TokenId>;

  Vocabulary() = default;
  absl::Status AddTokens(const VocabularySpec& spec, IdByName& ids);
  absl::Status AddMerges(const VocabularySpec& spec, const IdByName& ids);

  std::vector<std::string> names_;  // as the file spells them
  std::vector<std::string> bytes_;  // what they stand for; empty for control tokens
  std::vector<TokenType> types_;
  std::array<TokenId, 256> byte_tokens_{};
  absl::flat_hash_map<std::string_view, TokenId> words_;  // by bytes; normal tokens only
  MergeTable merges_;
  SpecialMatcher control_;
  SpecialMatcher user_defined_;
};

}  // namespace tokenizer
