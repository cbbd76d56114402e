#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace config {

// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` (optimal string alignment).
std::size_t EditDistance(std::string_view a, std::string_view b);

// The candidate closest to `name`, or an empty view when none is close enough to be meant: more than a third of the
// name's characters would have to change.
std::string_view NearestName(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace config
