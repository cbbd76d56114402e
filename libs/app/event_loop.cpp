#include "libs/app/event_loop.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <utility>

#include "libs/base/check.h"

namespace app {
namespace {

constexpr base::Duration kIdleTurn = std::chrono::seconds(1);
constexpr base::Duration kAliveWithin = std::chrono::seconds(10);

std::int64_t NowNs() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

}  // namespace

EventLoop::EventLoop(std::size_t backlog_max) : backlog_max_(backlog_max), last_turn_ns_(NowNs()) {
  thread_ = std::thread([this] { Run(); });
}

EventLoop::~EventLoop() { Stop(); }

bool EventLoop::Post(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return false;
    CHECK_MSG(tasks_.size() < backlog_max_, "event loop backlog: its users are not bounded as stated");
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void EventLoop::PostAfter(base::Duration delay, std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    CHECK_MSG(timers_.size() < backlog_max_, "event loop timers: its users are not bounded as stated");
    timers_.emplace(std::chrono::steady_clock::now() + delay, std::move(task));
  }
  wake_.notify_one();
}

void EventLoop::RunSync(std::function<void()> task) {
  CHECK(!OnLoopThread());
  std::promise<void> done;
  // What was accepted always runs, also while stopping, so this wait ends.
  if (Post([&] {
        task();
        done.set_value();
      })) {
    done.get_future().wait();
  }
}

void EventLoop::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool EventLoop::alive() const { return NowNs() - last_turn_ns_.load(std::memory_order_relaxed) < kAliveWithin.count(); }

std::function<void()> EventLoop::WaitForTask(bool* stop) {
  std::unique_lock lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (!timers_.empty() && timers_.begin()->first <= now) {
    std::function<void()> task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    return task;
  }
  if (!tasks_.empty()) {
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    return task;
  }
  if (stopping_) {
    *stop = true;
    return {};
  }
  auto until = now + kIdleTurn;
  if (!timers_.empty()) until = std::min<base::MonotonicTime>(until, timers_.begin()->first);
  wake_.wait_until(lock, until);
  return {};
}

void EventLoop::Run() {
  bool stop = false;
  while (!stop) {
    last_turn_ns_.store(NowNs(), std::memory_order_relaxed);
    if (std::function<void()> task = WaitForTask(&stop)) task();
  }
}

}  // namespace app
