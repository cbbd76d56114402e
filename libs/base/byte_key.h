#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace base {

// Joins parts so that no two different lists give the same bytes: each part is preceded by its length (4 bytes, big
// endian). Never join ids with a separator: ("a_b", "c") and ("a", "b_c") would collide.
std::string JoinLengthPrefixed(std::initializer_list<std::string_view> parts);

// The inverse; nullopt when `bytes` is not exactly a list of at most `parts_max` parts.
std::optional<std::vector<std::string>> SplitLengthPrefixed(std::string_view bytes, std::size_t parts_max);

}  // namespace base
