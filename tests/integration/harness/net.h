#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/base/clock.h"

namespace harness {

// A TCP port of 127.0.0.1 that nothing listens on, below the range from which the kernel takes ports of outgoing
// connections, and not given out before by this process.
std::uint16_t FreePort();

// Connects to 127.0.0.1, sends `request` and returns the first `bytes_min` bytes or more of the answer. Unavailable
// when nothing listens or nothing is answered within `timeout`.
absl::StatusOr<std::string> AskPort(std::uint16_t port, std::string_view request, std::size_t bytes_min,
                                    base::Duration timeout);

}  // namespace harness
