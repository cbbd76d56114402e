#pragma once

#include <chrono>
#include <thread>

#include "libs/base/clock.h"

namespace harness {

// Looks every 5 ms whether `condition()` holds; false when it does not within `timeout`. Tests wait for conditions,
// never for time.
template <typename Condition>
[[nodiscard]] bool WaitUntil(Condition condition, base::Duration timeout = std::chrono::seconds(20)) {
  const base::MonotonicTime deadline = base::Clock::Real().Now() + timeout;
  while (!condition()) {
    if (base::Clock::Real().Now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace harness
