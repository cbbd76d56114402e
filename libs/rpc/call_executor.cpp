#include "libs/rpc/call_executor.h"

#include <optional>
#include <utility>

#include "libs/base/check.h"

namespace rpc {

CallExecutor::CallExecutor(std::int32_t threads, std::int32_t waiting_max)
    : queue_(static_cast<std::size_t>(waiting_max)) {
  CHECK(threads > 0);
  threads_.reserve(static_cast<std::size_t>(threads));
  for (std::int32_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] {
      // Pop gives nothing only when the queue is closed and empty: the deadline is never reached.
      while (std::optional<std::function<void()>> work = queue_.Pop(base::MonotonicTime::max())) (*work)();
    });
  }
}

CallExecutor::~CallExecutor() {
  queue_.Close();
  for (std::thread& thread : threads_) thread.join();
}

bool CallExecutor::TryRun(std::function<void()> work) { return queue_.TryPush(std::move(work)); }

}  // namespace rpc
