#include "kernels/primitives/thread_pool.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kernels {
namespace {

constexpr std::uint32_t kOpen = 1U << 31;
constexpr int kSpinsMax = 4000;  // about 40 microseconds on x86, the length of a gap between two launches

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads) : shares_(static_cast<std::size_t>(threads)) {
  workers_.reserve(static_cast<std::size_t>(threads > 1 ? threads - 1 : 0));
  for (int thread = 1; thread < threads; ++thread) workers_.emplace_back([this, thread] { Work(thread); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  launches_.fetch_add(1);
  launches_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::Launch(std::int64_t tasks, const void* body, Call call) {
  body_ = body;
  call_ = call;
  const std::int64_t threads = this->threads();
  for (std::int64_t t = 0; t < threads; ++t) {
    Share& share = shares_[static_cast<std::size_t>(t)];
    share.next.store(tasks * t / threads, std::memory_order_relaxed);
    share.end = tasks * (t + 1) / threads;
  }
  if (tasks <= 1 || workers_.empty()) return TakeTasks(/*thread=*/0);
  inside_.store(kOpen, std::memory_order_release);
  launches_.fetch_add(1, std::memory_order_release);
  launches_.notify_all();
  TakeTasks(/*thread=*/0);
  // No task is left: close the launch and wait for those who are still inside.
  inside_.fetch_and(~kOpen, std::memory_order_acq_rel);
  for (int spins = 0; inside_.load(std::memory_order_acquire) != 0; ++spins) {
    // A worker inside a task may have lost its core to another process; then give ours away rather than burn it.
    if (spins < kSpinsMax) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

void ThreadPool::TakeTasks(int thread) {
  if (trace_ == nullptr) {
    TakeShares(thread);
    return;
  }
  LaunchTrace::Event event{.label = label_, .begin = LaunchTrace::Clock::now(), .end = {}};
  event.tasks = TakeShares(thread);
  event.end = LaunchTrace::Clock::now();
  if (event.tasks > 0) trace_->Record(thread, event);
}

// Returns how many it took.
std::int64_t ThreadPool::TakeShares(int thread) {
  std::int64_t taken = 0;
  const auto threads = static_cast<std::size_t>(this->threads());
  for (std::size_t i = 0; i < threads; ++i) {
    Share& share = shares_[(static_cast<std::size_t>(thread) + i) % threads];
    if (share.next.load(std::memory_order_relaxed) >= share.end) continue;  // no write where nothing is left
    for (std::int64_t task; (task = share.next.fetch_add(1, std::memory_order_relaxed)) < share.end; ++taken) {
      call_(body_, task, thread);
    }
  }
  return taken;
}

void ThreadPool::Work(int thread) {
  std::uint32_t seen = 0;
  for (;;) {
    for (int spins = 0; spins < kSpinsMax && launches_.load(std::memory_order_acquire) == seen; ++spins) Pause();
    launches_.wait(seen, std::memory_order_acquire);
    seen = launches_.load(std::memory_order_acquire);
    if (stop_.load()) return;

    std::uint32_t inside = inside_.load(std::memory_order_acquire);
    while ((inside & kOpen) != 0 &&
           !inside_.compare_exchange_weak(inside, inside + 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
    }
    if ((inside & kOpen) == 0) continue;
    TakeTasks(thread);
    inside_.fetch_sub(1, std::memory_order_acq_rel);
  }
}

}  // namespace kernels
