#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace telemetry::internal {

// Appends `text` as a JSON string (RFC 8259) with its quotes. Control characters are escaped; each maximal ill-formed
// part of UTF-8 (Unicode 15, section 3.9, table 3-7) becomes one U+FFFD. Text beyond `bytes_max` is cut before the
// character that crosses it, and U+2026 shows the cut.
void AppendJsonString(std::string& out, std::string_view text, std::size_t bytes_max);

}  // namespace telemetry::internal
