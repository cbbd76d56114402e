#pragma once

#include <cstdint>

#include "libs/base/clock.h"

namespace base {

// Delay before try number `attempt` (the first retry is 1): initial * 2^(attempt-1), capped, then spread by +-25 % with
// a hash of (seed, attempt), so that a fleet does not retry in step and a test can repeat the schedule. REQUIRES:
// attempt >= 1, initial > 0, max >= initial
Duration BackoffDelay(int attempt, Duration initial, Duration max, std::uint64_t seed);

}  // namespace base
