#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace kernels {

// What a launch is called in a trace.
struct LaunchLabel {
  const char* name = "launch";  // lives as long as the trace: a literal
  const char* part = "";        // what of it, if it takes several launches
  std::int64_t rows = 0;        // of the step
};

// When each thread worked on each launch. Bounded: when a thread's share is full, its further events are counted and
// dropped.
//
// Threading: Record from any thread, each with its own number; the rest while no launch runs.
// Cost:      two readings of the clock a launch and thread; without a trace nothing.
class LaunchTrace {
 public:
  using Clock = std::chrono::steady_clock;
  struct Event {
    LaunchLabel label;
    Clock::time_point begin, end;
    std::int64_t tasks = 0;  // that the thread took
  };

  LaunchTrace(int threads, std::int64_t events_max_per_thread)
      : events_max_(static_cast<std::size_t>(events_max_per_thread)), threads_(static_cast<std::size_t>(threads)) {
    for (Thread& thread : threads_) thread.events.reserve(events_max_);
  }

  void Record(int thread, const Event& event) {
    Thread& own = threads_[static_cast<std::size_t>(thread)];
    if (own.events.size() < events_max_) {
      own.events.push_back(event);
    } else {
      ++own.dropped;
    }
  }

  int threads() const { return static_cast<int>(threads_.size()); }
  const std::vector<Event>& events(int thread) const { return threads_[static_cast<std::size_t>(thread)].events; }
  std::int64_t dropped() const {
    std::int64_t sum = 0;
    for (const Thread& thread : threads_) sum += thread.dropped;
    return sum;
  }

 private:
  struct alignas(64) Thread {
    std::vector<Event> events;
    std::int64_t dropped = 0;
  };
  const std::size_t events_max_;
  std::vector<Thread> threads_;
};

}  // namespace kernels
