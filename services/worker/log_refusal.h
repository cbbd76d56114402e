#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace worker {

inline constexpr int kExitLogRefused = 77;  // EX_NOPERM of sysexits.h

// Ends the process, at once: the broker refuses what must be written, for good. Tried again it would be refused again,
// and the lane would stand still without a word; a process that ends says what is wrong, and its turns are read again
// once that is mended.
[[noreturn]] void EndRefusedByLog(std::string_view topic, const absl::Status& status);

}  // namespace worker
