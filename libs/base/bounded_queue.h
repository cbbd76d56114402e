#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/clock.h"

namespace base {

// A queue with a stated maximum between threads. Producers never block: a full queue is an answer (shed, pause, 503),
// so TryPush says no and leaves `item` untouched. Consumers may wait.
//
// Threading: any number of producers and consumers; one mutex, because items here cost microseconds to milliseconds and
//            a lock-free ring would buy nothing measurable.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t items_max) : items_max_(items_max) { CHECK(items_max > 0); }

  // False when full or closed.
  [[nodiscard]] bool TryPush(T&& item) {
    {
      std::lock_guard lock(mutex_);
      if (closed_ || items_.size() >= items_max_) return false;
      items_.push_back(std::move(item));
    }
    not_empty_.notify_one();
    return true;
  }

  // Waits until an item is there, the queue is closed and empty, or the deadline has passed; then nullopt.
  std::optional<T> Pop(MonotonicTime deadline) {
    std::unique_lock lock(mutex_);
    not_empty_.wait_until(lock, deadline, [&] { return !items_.empty() || closed_; });
    return TakeFront();
  }

  std::optional<T> TryPop() {
    std::lock_guard lock(mutex_);
    return TakeFront();
  }

  // No more items are taken; waiting consumers drain what is left and then get nullopt.
  void Close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    not_empty_.notify_all();
  }

  bool closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  std::size_t size() const {
    std::lock_guard lock(mutex_);
    return items_.size();
  }
  std::size_t items_max() const { return items_max_; }

 private:
  std::optional<T> TakeFront() {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    return item;
  }

  const std::size_t items_max_;
  mutable std::mutex mutex_;
  std::condition_variable not_empty_;
  std::deque<T> items_;  // protected by mutex_
  bool closed_ = false;  // protected by mutex_
};

}  // namespace base
