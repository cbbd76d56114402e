#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

#include "libs/base/check.h"
#include "libs/base/clock.h"

namespace fakes {

// A clock that stands still until the test moves it. Both times move together; only JumpWall moves the wall clock
// alone, as an administrator or NTP does.
//
// Threading: safe from any thread. Code that waits with a condition variable is not woken: such code takes its deadline
//            as an argument instead.
class FakeClock final : public base::Clock {
 public:
  explicit FakeClock(std::int64_t wall_ms = 1'700'000'000'000) : wall_(std::chrono::milliseconds(wall_ms)) {}

  base::MonotonicTime Now() const override {
    std::lock_guard lock(mutex_);
    return now_;
  }
  std::int64_t WallMs() const override {
    std::lock_guard lock(mutex_);
    return base::ToMs(wall_);
  }

  void Advance(base::Duration by) {  // REQUIRES: by >= 0
    CHECK(by.count() >= 0);
    std::lock_guard lock(mutex_);
    now_ += by;
    wall_ += by;
  }
  void JumpWall(base::Duration by) {
    std::lock_guard lock(mutex_);
    wall_ += by;
  }

 private:
  mutable std::mutex mutex_;
  base::MonotonicTime now_{std::chrono::hours(1)};  // protected by mutex_; not 0, which code may take for "never"
  base::Duration wall_;                             // protected by mutex_; since the Unix epoch
};

}  // namespace fakes
