#include "services/sender/status_coverage.h"

#include <algorithm>

namespace sender {

void StatusCoverage::OnAnswer(base::MonotonicTime asked_at, std::int64_t end, std::int64_t read) {
  // Beyond the end: the log is a new one, and what the group has committed is about the old.
  if (read > end) return OnNoAnswer();
  if (waiting_.size() < kWaitingMax) {
    waiting_.push_back({asked_at, end, !broken_ && asked_at - last_asked_at_ <= gap_max_});
    last_asked_at_ = asked_at;
  }
  broken_ = waiting_.size() >= kWaitingMax;
  while (!waiting_.empty() && waiting_.front().end <= read) {
    const Question& question = waiting_.front();
    if (question.continues && !stretches_.empty()) {
      stretches_.back().to = question.asked_at;
    } else {
      stretches_.push_back({question.asked_at, question.asked_at});
    }
    waiting_.pop_front();
  }
  while (stretches_.size() > kStretchesMax) stretches_.pop_front();
}

base::Duration StatusCoverage::CoveredSince(base::MonotonicTime since) const {
  base::Duration covered{};
  for (const Stretch& stretch : stretches_) {
    covered += std::max(base::Duration::zero(), stretch.to - std::max(stretch.from, since));
  }
  return covered;
}

}  // namespace sender
