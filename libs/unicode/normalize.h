#pragma once

#include <string>
#include <string_view>

namespace unicode {

// Normalization Form C (UAX #15) of valid UTF-8. Linear in the input: a run of more than 256 combining marks, which
// no language has, is normalised in parts, since ordering such a run whole would take quadratic time. REQUIRES:
// IsValidUtf8(text).
std::string NormalizeNfc(std::string_view text);

}  // namespace unicode
