#include "libs/base/clock.h"

namespace base {
namespace {

class RealClock final : public Clock {
 public:
  MonotonicTime Now() const override { return std::chrono::steady_clock::now(); }
  std::int64_t WallMs() const override { return ToMs(std::chrono::system_clock::now().time_since_epoch()); }
};

}  // namespace

const Clock& Clock::Real() {
  static const RealClock clock;
  return clock;
}

}  // namespace base
