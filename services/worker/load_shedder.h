#pragma once

#include <cstddef>

#include "libs/base/clock.h"

namespace worker {

// Decides which turns are not begun, because they could not be answered within their deadline any more. What an engine
// spends on a turn that nobody waits for any longer is missing to the next, so that under overload all come late.
//
// Queue delay is the measure, not arrival rate or queue length: it needs no knowledge of what the engine can do. It is
// counted on a clock of its own that runs only while turns wait because the engine is full. So an outage of session,
// Redis or the broker, a worker that was frozen, or a conversation that waits for its own earlier turns sheds nothing:
// those waits say nothing about load, and after them the backlog is to be answered.
//
// A turn is hopeless when
//   the delay it has had  +  the delay it still has to expect  +  the usual time of an answer  >  its deadline
// The second is the number of turns before it, times the mean interval at which turns have left the queue of late. It
// matters for a turn that has just come: its user is told at once, and not when the whole deadline has passed in vain.
// For the turn at the head it is nothing, so that an estimate that was wrong is put right there.
//
// Why not CoDel, whose target is a small standing delay: a turn is worth as much after a minute as after a second if
// its deadline says so. The deadline is the target.
//
// Pure: no clock of its own. Threading: none; confined to the worker's loop thread.
class LoadShedder {
  // Of the first values the plain mean, later one that forgets, as if it were of the last count_max.
  struct Mean {
    int count_max = 1;
    int count = 0;
    double value = 0;

    void Add(double next) {
      if (count < count_max) ++count;
      value += (next - value) / count;
    }
  };

 public:
  // What was so since the last call: whether turns waited because the engine was full. Call often while it is.
  void Look(base::MonotonicTime now, bool engine_is_full);
  // The queue's clock: turns remember it when they begin to wait.
  base::Duration queue_time() const { return queue_time_; }

  void OnStarted();                      // a turn left the queue for the engine
  void OnAnswered(base::Duration took);  // in the engine

  // `waited`, of queue_time; `ahead`: turns that start before it.
  bool IsHopeless(base::Duration waited, std::size_t ahead, base::Duration deadline) const;

 private:
  base::MonotonicTime looked_at_{};
  bool was_full_ = false;
  base::Duration queue_time_{};
  base::Duration started_at_{};             // of queue_time, the last one
  Mean start_interval_s_{.count_max = 64};  // of queue_time
  Mean answer_s_{.count_max = 16};
};

}  // namespace worker
