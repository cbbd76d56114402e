#pragma once

#include "absl/status/status.h"

namespace worker {

inline constexpr int kExitDeviceLost = 70;  // EX_SOFTWARE of sysexits.h

// Ends the process, at once and without a drain: no call to a lost device works any more, so a fresh process must take
// over. A turn that was told of the failure would be given up; one that was told nothing is read again.
[[noreturn]] void EndWithoutDevice(const absl::Status& status);

}  // namespace worker
