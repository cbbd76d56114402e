#pragma once

#include <chrono>
#include <cstdint>

namespace base {

// Durations and deadlines use the monotonic clock; the wall clock is only for timestamps that people or peers read.
using MonotonicTime = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

// Source of time. Injected wherever a test must move it; see tests/fakes/fake_clock.h.
// Threading: all implementations are safe from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime Now() const = 0;
  virtual std::int64_t WallMs() const = 0;  // milliseconds since the Unix epoch

  static const Clock& Real();  // the machine's clocks; lives for the whole process
};

inline std::int64_t ToMs(Duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); }
inline double ToSeconds(Duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace base
