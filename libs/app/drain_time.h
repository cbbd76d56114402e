#pragma once

#include "libs/base/clock.h"

namespace app {

// The time that a drain has, cut into the shares of steps that follow one another: a step ends by the time that is
// stated for it, whatever those before it took, so that all together end before the process is ended. Early steps that
// need less leave their time to the later ones.
//
// REQUIRES: the last share is below 1. What remains is for what comes after the drain: the admin port, for a second at
// most, and the end of the service's parts.
class DrainTime {
 public:
  DrainTime(base::MonotonicTime now, base::MonotonicTime deadline)
      : begun_(now), time_(deadline > now ? deadline - now : base::Duration::zero()) {}

  // When the step is over by whose end `share` of the time, 0 to 1, may be gone.
  base::MonotonicTime Until(double share) const {
    return begun_ + std::chrono::duration_cast<base::Duration>(time_ * share);
  }

 private:
  const base::MonotonicTime begun_;
  const base::Duration time_;
};

}  // namespace app
