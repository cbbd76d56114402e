#pragma once

#include <cstddef>
#include <string_view>

namespace unicode {

// A longer cluster is cut at a code point boundary. Unicode puts no limit on a cluster ("a" with a million accents is
// one), but callers need one: a text split at grapheme boundaries must fit a channel's limit. The stream-safe format
// (UAX #15) allows 30 combining marks, and the longest emoji sequence in use has 35 bytes.
inline constexpr std::size_t kGraphemeBytesMax = 256;

// End of the extended grapheme cluster (UAX #29) that starts at `offset`, as a byte offset in (offset, text.size()].
// REQUIRES: offset < text.size() and `offset` is such a boundary itself (0, or an earlier result).
// Each ill-formed maximal subpart is a cluster of its own. Reads at most kGraphemeBytesMax + 4 bytes.
//   for (std::size_t at = 0; at < text.size(); at = NextGrapheme(text, at)) { ... }
std::size_t NextGrapheme(std::string_view text, std::size_t offset);

}  // namespace unicode
