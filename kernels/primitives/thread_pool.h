#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "kernels/primitives/launch_trace.h"

namespace kernels {

// Runs the tasks of one kernel launch on a fixed number of threads, the caller among them. A forward pass is about ten
// launches a layer, of 5 to 1,000 microseconds, so a waiting thread spins for some microseconds before it sleeps.
//
// Each thread takes tasks from a share of its own, neighbours in their order, and then helps with the others' shares: a
// thread that the machine delays costs one task, and launches that cut the same rows in the same way find them in the
// cache of the core that wrote them. A thread that wakes up when the launch is over takes no part in it, so the caller
// never waits for a sleeper.
//
// Threading: Run from one thread at a time.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // starts threads - 1. REQUIRES: threads >= 1
  ~ThreadPool();

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Calls body(task, thread) for every task in [0, tasks), thread in [0, threads()); returns when all calls have
  // returned. Tasks must not depend on one another or throw.
  template <typename Body>
  void Run(std::int64_t tasks, const Body& body, const LaunchLabel& label = {}) {
    const Call call = [](const void* erased, std::int64_t task, int thread) {
      (*static_cast<const Body*>(erased))(task, thread);
    };
    if (trace_ != nullptr) {
      label_ = label;
    } else if (tasks <= 1 || workers_.empty()) {
      for (std::int64_t task = 0; task < tasks; ++task) body(task, 0);
      return;
    }
    Launch(tasks, &body, call);
  }

  // From now on launches are recorded; nullptr: no more. The trace has a place for each thread and outlives its use.
  // REQUIRES: no launch runs.
  void set_trace(LaunchTrace* trace) { trace_ = trace; }

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

 private:
  using Call = void (*)(const void* body, std::int64_t task, int thread);

  void Launch(std::int64_t tasks, const void* body, Call call);
  void Work(int thread);
  void TakeTasks(int thread);
  std::int64_t TakeShares(int thread);

  // The launch. Written by Run while no worker is inside it; read by workers between joining and leaving.
  const void* body_ = nullptr;
  Call call_ = nullptr;
  LaunchTrace* trace_ = nullptr;
  LaunchLabel label_;  // while there is a trace

  // Apart, because each is written at a different pace by different threads.
  alignas(64) std::atomic<std::uint32_t> launches_{0};  // changes when there is something to do, or to stop
  alignas(64) std::atomic<std::uint32_t> inside_{0};    // workers in the launch, and whether it takes more: kOpen
  struct alignas(64) Share {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;  // as the launch's other members
  };
  std::vector<Share> shares_;  // [threads]
  std::atomic<bool> stop_{false};

  std::vector<std::thread> workers_;
};

}  // namespace kernels
