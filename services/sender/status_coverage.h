#pragma once

#include <cstdint>
#include <deque>

#include "libs/base/clock.h"

namespace sender {

// Of which stretches of time one partition of `statuses` has been read: every status that had reached the log by then
// is evidence in the ledger, whichever sender read it. Outside of them silence proves nothing.
//
// It rests on what the broker says and on the monotonic clock alone. An answer names the end of the log, seen some time
// after the question; once the group's committed offset has passed that end, the time up to the question is covered.
// Between two questions it is covered if the broker answered both and nothing failed in between: while the broker is
// away no status can be written either, so that time counts for nothing.
//
// Threading: none. Pure.
// Bound:     kWaitingMax questions whose end isn't read yet, kStretchesMax stretches; what is forgotten counts as not
//            covered.
class StatusCoverage {
 public:
  // `gap_max`: questions further apart cover nothing between them (a process that was frozen).
  explicit StatusCoverage(base::Duration gap_max) : gap_max_(gap_max) {}

  // REQUIRES: `asked_at` rises. `read` is the group's committed offset, read before `end`.
  void OnAnswer(base::MonotonicTime asked_at, std::int64_t end, std::int64_t read);
  void OnNoAnswer() { broken_ = true; }

  base::Duration CoveredSince(base::MonotonicTime since) const;

 private:
  static constexpr std::size_t kWaitingMax = 4096;
  static constexpr std::size_t kStretchesMax = 64;

  struct Question {
    base::MonotonicTime asked_at;
    std::int64_t end = 0;
    bool continues = false;  // the time from the question before it to this one counts
  };
  struct Stretch {
    base::MonotonicTime from;
    base::MonotonicTime to;
  };

  const base::Duration gap_max_;
  bool broken_ = true;  // the next question continues nothing
  base::MonotonicTime last_asked_at_{};
  std::deque<Question> waiting_;  // oldest first; the group has not read up to their ends yet
  std::deque<Stretch> stretches_;
};

}  // namespace sender
