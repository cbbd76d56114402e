#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/clock.h"

namespace sim {

class Timeline;

// One process of the simulated mesh. It can be killed (nothing of it happens any more) and frozen (a stopped virtual
// machine: what came due meanwhile happens when it wakes, in its order, and it doesn't know how long it slept).
class Process {
 public:
  Process(Timeline* time, std::string name) : time_(time), name_(std::move(name)) {}
  virtual ~Process() = default;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const std::string& name() const { return name_; }
  bool alive() const { return alive_; }
  bool frozen() const;
  base::MonotonicTime wakes_at() const { return wakes_at_; }

  // Runs `task` in this process after `delay`, unless it's dead by then.
  void After(base::Duration delay, std::function<void()> task);

  void Kill() { alive_ = false; }
  void Freeze(base::MonotonicTime until) { wakes_at_ = until > wakes_at_ ? until : wakes_at_; }

  // When this process's producer has put what it was given on the wire: one producer's records stay in order.
  base::MonotonicTime producer_free_at{};
  // After a kill: what reaches the broker until then had left already.
  base::MonotonicTime lands_until{};

 private:
  Timeline* const time_;
  const std::string name_;
  bool alive_ = true;
  base::MonotonicTime wakes_at_{};
};

// Virtual time: tasks in the order of their times, and of their making where times are equal.
class Timeline {
 public:
  base::MonotonicTime now() const { return now_; }

  // `of`: the process in which it happens; nullptr for the network and everything else that never dies.
  void At(base::MonotonicTime when, Process* of, std::function<void()> task);
  void After(base::Duration delay, std::function<void()> task) { At(now_ + delay, nullptr, std::move(task)); }

  // Runs the next task. False: nothing is left to happen.
  bool RunNext();
  bool empty() const { return heap_.empty(); }
  base::MonotonicTime next_at() const { return heap_.front().at; }  // REQUIRES: not empty
  std::size_t tasks_run() const { return tasks_run_; }
  void Clear();  // forgets what is left; what the tasks hold may make new ones as it goes

 private:
  struct Event {
    base::MonotonicTime at;
    std::uint64_t number = 0;
    Process* of = nullptr;
    std::function<void()> task;
  };
  static bool Later(const Event& a, const Event& b) { return a.at != b.at ? a.at > b.at : a.number > b.number; }
  void Push(Event event);

  // Not the epoch: the services take a time point of zero for "never".
  base::MonotonicTime now_{std::chrono::seconds(1000)};
  std::vector<Event> heap_;
  std::uint64_t next_number_ = 0;
  std::size_t tasks_run_ = 0;
};

}  // namespace sim
