#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "libs/base/bounded_queue.h"

namespace rpc {

// The threads on which calls may block, and the bounded queue before them. Separate from gRPC's threads, so that a slow
// store fills this queue and nothing else, and the refusal is ours to word.
// Threading: TryRun from any thread. The destructor runs what was taken and joins.
class CallExecutor {
 public:
  CallExecutor(std::int32_t threads, std::int32_t waiting_max);  // REQUIRES: both > 0
  ~CallExecutor();
  CallExecutor(const CallExecutor&) = delete;
  CallExecutor& operator=(const CallExecutor&) = delete;

  // False when the queue is full; then `work` was not taken.
  [[nodiscard]] bool TryRun(std::function<void()> work);
  std::size_t waiting() const { return queue_.size(); }
  bool alive() const;  // a thread turned, idle or between two calls, within the last 10 s

 private:
  void Run();

  base::BoundedQueue<std::function<void()>> queue_;
  std::atomic<std::int64_t> last_turn_ms_;
  std::vector<std::thread> threads_;
};

}  // namespace rpc
