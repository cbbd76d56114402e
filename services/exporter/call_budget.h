#pragma once

#include <algorithm>
#include <optional>

#include "libs/base/clock.h"

namespace exporter {

// How many calls may still be made on behalf of one WABA, page or Instagram account: a quarter of Meta's least
// allowance of 200 an hour (channels.md 3.3) at once and half of it an hour from then on, for others call it too.
// Threading: none.
class CallBudget {
 public:
  static constexpr double kCallsMax = 50;
  static constexpr double kCallsPerHour = 100;

  // Whether there are `calls` left.
  bool Has(double calls, base::MonotonicTime now) {
    if (refilled_at_) {
      calls_ = std::min(kCallsMax, calls_ + base::ToSeconds(now - *refilled_at_) * kCallsPerHour / 3600);
    }
    refilled_at_ = now;
    return calls_ >= calls;
  }
  void Take() { calls_ -= 1; }  // may go below zero: what was begun is finished
  void Empty() { calls_ = 0; }  // Meta says that there were too many

 private:
  double calls_ = kCallsMax;
  std::optional<base::MonotonicTime> refilled_at_;
};

}  // namespace exporter
