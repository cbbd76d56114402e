#include "libs/tokenizer/internal/special_matcher.h"

#include <algorithm>
#include <functional>

#include "libs/base/check.h"

namespace tokenizer {

void SpecialMatcher::Add(std::string_view name, TokenId id) {
  CHECK(!name.empty());
  ids_.emplace(name, id);
  first_bytes_.set(static_cast<unsigned char>(name.front()));
  const auto place = std::lower_bound(lengths_.begin(), lengths_.end(), name.size(), std::greater<>());
  if (place == lengths_.end() || *place != name.size()) lengths_.insert(place, name.size());
}

std::optional<TokenId> SpecialMatcher::Find(std::string_view name) const {
  const auto found = ids_.find(name);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

std::optional<SpecialMatcher::Match> SpecialMatcher::FirstMatch(std::string_view text, std::size_t from) const {
  for (std::size_t at = from; at < text.size(); ++at) {
    if (!first_bytes_.test(static_cast<unsigned char>(text[at]))) continue;
    for (const std::size_t length : lengths_) {
      if (length > text.size() - at) continue;
      if (const auto id = Find(text.substr(at, length)); id.has_value()) return Match{at, at + length, *id};
    }
  }
  return std::nullopt;
}

}  // namespace tokenizer
