#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "libs/base/clock.h"

namespace app {

// One thread that runs small tasks and timers in order: the home of a service's state machines, which then need no
// locks.
//
// Bound: tasks are posted by callbacks of work that is itself bounded (window records, running turns, requests in
//        flight); `backlog_max` states the sum and exceeding it is a bug, because dropping a callback would lose a
//        turn.
// Threading: Post and PostAfter from any thread, never block. Tasks run on the loop's thread and must not block.
// Lifetime:  Stop() runs what is posted or due, drops timers that are not, and joins; later posts are refused.
class EventLoop {
 public:
  explicit EventLoop(std::size_t backlog_max);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  bool Post(std::function<void()> task);  // false: stopped, the task is dropped
  void PostAfter(base::Duration delay, std::function<void()> task);
  // Posts and waits until the task has run; returns at once when stopped. REQUIRES: not called on the loop's thread.
  void RunSync(std::function<void()> task);
  void Stop();

  bool OnLoopThread() const { return std::this_thread::get_id() == thread_.get_id(); }
  // True while the thread turned within the last 10 s; a loop that is idle turns once a second.
  bool alive() const;

 private:
  void Run();
  // The next task, or an empty one when it is only time to turn. Sets `stop` once stopped and drained.
  std::function<void()> WaitForTask(bool* stop);

  const std::size_t backlog_max_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;                           // protected by mutex_
  std::multimap<base::MonotonicTime, std::function<void()>> timers_;  // protected by mutex_
  bool stopping_ = false;                                             // protected by mutex_
  std::atomic<std::int64_t> last_turn_ns_{0};
  std::thread thread_;
};

}  // namespace app
