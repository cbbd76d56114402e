#pragma once

#include <cstdint>
#include <optional>

#include "libs/base/clock.h"

namespace worker {

// Shows how far the weights are on their way to a card, once that takes longer than two seconds: a bar on a terminal,
// else a log line every ten seconds. What was shown once ends at 100 %. Threading: one thread.
class LoadProgress {
 public:
  explicit LoadProgress(const base::Clock& clock = base::Clock::Real());

  void Show(std::int64_t bytes_done, std::int64_t bytes_total);
  void End();  // leaves the bar's line

 private:
  const base::Clock& clock_;
  const bool on_terminal_;
  const base::MonotonicTime began_;
  std::optional<base::MonotonicTime> shown_;
  bool bar_open_ = false;
};

}  // namespace worker
