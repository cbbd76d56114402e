#include "services/worker/load_shedder.h"

#include <algorithm>
#include <chrono>

namespace worker {
namespace {

// Longer between two looks, and it was not the engine that kept us: the process or the machine stood still.
constexpr base::Duration kLookMax = std::chrono::seconds(1);

// Turns leave a full batch in bursts, so an interval says nothing before several are known.
constexpr int kStartsMin = 16;

// The usual answer is taken to need at most this part of a deadline: were it more, nothing would be begun any more, and
// nothing would ever show that answers have become faster.
constexpr double kAnswerShareMax = 0.5;

}  // namespace

void LoadShedder::Look(base::MonotonicTime now, bool engine_is_full) {
  if (was_full_) queue_time_ += std::min(now - looked_at_, kLookMax);
  looked_at_ = now;
  was_full_ = engine_is_full;
}

void LoadShedder::OnStarted() {
  start_interval_s_.Add(base::ToSeconds(queue_time_ - started_at_));
  started_at_ = queue_time_;
}

void LoadShedder::OnAnswered(base::Duration took) { answer_s_.Add(base::ToSeconds(took)); }

bool LoadShedder::IsHopeless(base::Duration waited, std::size_t ahead, base::Duration deadline) const {
  const double deadline_s = base::ToSeconds(deadline);
  const double interval_s = start_interval_s_.count < kStartsMin ? 0 : start_interval_s_.value;
  const double expected_s = static_cast<double>(ahead) * interval_s;
  return base::ToSeconds(waited) + expected_s + std::min(answer_s_.value, kAnswerShareMax * deadline_s) > deadline_s;
}

}  // namespace worker
