#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

namespace sender {

// How many replies may be between CLAIM and answer at once. A claim that then waited for a connection would only grow
// old: it would run out of its lease unsent, be given back and claimed again, so that the more is to be sent, the less
// would be.
//
// Waiters are served in order. Threading: none; confined to the sender's loop.
class SendSlots : public std::enable_shared_from_this<SendSlots> {
 public:
  explicit SendSlots(std::size_t slots_max) : slots_max_(slots_max) {}

  // Held while a send is under way; giving it up lets the next one go. Keeps the SendSlots alive.
  class Slot {
   public:
    Slot() = default;
    explicit Slot(std::shared_ptr<SendSlots> slots) : slots_(std::move(slots)) {}
    Slot(Slot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
    Slot& operator=(Slot&& other) noexcept {
      std::swap(slots_, other.slots_);
      return *this;
    }
    ~Slot() { GiveUp(); }
    void GiveUp() {
      if (const auto slots = std::exchange(slots_, nullptr)) slots->Return();
    }
    bool held() const { return slots_ != nullptr; }

   private:
    std::shared_ptr<SendSlots> slots_;
  };

  // Not held when all are taken: then Wait.
  Slot TryTake() {
    if (taken_ >= slots_max_) return Slot();
    ++taken_;
    return Slot(shared_from_this());
  }

  // `try_again` runs when a slot is free; it may find that it needs none any more.
  void Wait(std::function<void()> try_again) {
    if (!closed_) waiting_.push_back(std::move(try_again));
  }

  // Nobody is served any more: what waiters refer to is going away.
  void Close() {
    closed_ = true;
    std::deque<std::function<void()>> gone;  // may hold the last of a lane, whose slot comes back here
    gone.swap(waiting_);
  }

  std::size_t taken() const { return taken_; }
  std::size_t waiting_count() const { return waiting_.size(); }

 private:
  void Return() {
    --taken_;
    if (serving_) return;  // a waiter that took and gave back at once: the loop below goes on
    serving_ = true;
    while (taken_ < slots_max_ && !waiting_.empty()) {
      const std::function<void()> next = std::move(waiting_.front());
      waiting_.pop_front();
      next();
    }
    serving_ = false;
  }

  const std::size_t slots_max_;
  std::size_t taken_ = 0;
  bool serving_ = false;
  bool closed_ = false;
  std::deque<std::function<void()>> waiting_;
};

}  // namespace sender
