#pragma once

#include <bitset>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libs/tokenizer/tokenizer.h"

namespace tokenizer {

// Finds whole token names in text: the leftmost, and the longest among those that start there. Names are found by hash,
// so the cost of a text does not grow with the number of names (a vocabulary may have thousands).
class SpecialMatcher {
 public:
  struct Match {
    std::size_t begin = 0;
    std::size_t end = 0;
    TokenId id = 0;
  };

  void Add(std::string_view name, TokenId id);  // REQUIRES: !name.empty(); `name` outlives the matcher

  bool empty() const { return ids_.empty(); }
  std::optional<TokenId> Find(std::string_view name) const;
  std::optional<Match> FirstMatch(std::string_view text, std::size_t from) const;

 private:
  absl::flat_hash_map<std::string_view, TokenId> ids_;
  std::vector<std::size_t> lengths_;  // of the names, distinct, longest first
  std::bitset<256> first_bytes_;      // a text position with another byte is passed over at once
};

}  // namespace tokenizer
