#include "libs/rpc/call_executor.h"

#include <chrono>
#include <optional>
#include <utility>

#include "libs/base/check.h"

namespace rpc {
namespace {

constexpr base::Duration kIdleTurn = std::chrono::seconds(1);
constexpr std::int64_t kAliveWithinMs = 10'000;

std::int64_t NowMs() { return base::ToMs(base::Clock::Real().Now().time_since_epoch()); }

}  // namespace

CallExecutor::CallExecutor(std::int32_t threads, std::int32_t waiting_max)
    : queue_(static_cast<std::size_t>(waiting_max)), last_turn_ms_(NowMs()) {
  CHECK(threads > 0);
  threads_.reserve(static_cast<std::size_t>(threads));
  for (std::int32_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

void CallExecutor::Run() {
  while (true) {
    last_turn_ms_.store(NowMs(), std::memory_order_relaxed);
    if (std::optional<std::function<void()>> work = queue_.Pop(base::Clock::Real().Now() + kIdleTurn)) {
      (*work)();
    } else if (queue_.closed()) {
      return;  // closed and drained
    }
  }
}

bool CallExecutor::alive() const { return NowMs() - last_turn_ms_.load(std::memory_order_relaxed) < kAliveWithinMs; }

CallExecutor::~CallExecutor() {
  queue_.Close();
  for (std::thread& thread : threads_) thread.join();
}

bool CallExecutor::TryRun(std::function<void()> work) { return queue_.TryPush(std::move(work)); }

}  // namespace rpc
