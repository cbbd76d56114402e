#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace sender {

// How many replies may be between CLAIM and answer at once. A claim that then waited for a connection would only grow
// old: it would run out of its lease unsent, be given back and claimed again, so that the more is to be sent, the less
// would be.
//
// No account keeps the others waiting: one whose host takes no connections holds each slot for the connect timeout.
// While another waits, an account gets half of them; an eighth is never one account's, so that who comes next need not
// wait for a timeout. Accounts that wait are served in turns, and the waiters of one in order.
//
// Threading: none; confined to the sender's loop.
class SendSlots : public std::enable_shared_from_this<SendSlots> {
 public:
  explicit SendSlots(std::size_t slots_max) : slots_max_(slots_max) {}

  // Held while a send is under way; giving it up lets the next one go. Keeps the SendSlots alive.
  class Slot {
   public:
    Slot() = default;
    Slot(std::shared_ptr<SendSlots> slots, std::string account)
        : slots_(std::move(slots)), account_(std::move(account)) {}
    Slot(Slot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)), account_(std::move(other.account_)) {}
    Slot& operator=(Slot&& other) noexcept {
      std::swap(slots_, other.slots_);
      std::swap(account_, other.account_);
      return *this;
    }
    ~Slot() { GiveUp(); }
    void GiveUp() {
      if (const auto slots = std::exchange(slots_, nullptr)) slots->Return(account_);
    }
    bool held() const { return slots_ != nullptr; }

   private:
    std::shared_ptr<SendSlots> slots_;
    std::string account_;
  };

  // Not held when all that the account may have are taken: then Wait.
  Slot TryTake(const std::string& account) {
    if (!MayTake(account)) return Slot();
    ++taken_;
    ++taken_by_account_[account];
    return Slot(shared_from_this(), account);
  }

  // `try_again` runs when a slot is free; it may find that it needs none any more.
  void Wait(const std::string& account, std::function<void()> try_again) {
    if (closed_) return;
    auto line = std::find_if(lines_.begin(), lines_.end(), [&](const Line& one) { return one.account == account; });
    if (line == lines_.end()) line = lines_.insert(lines_.end(), Line{account, {}});
    line->waiting.push_back(std::move(try_again));
  }

  // Nobody is served any more: what waiters refer to is going away.
  void Close() {
    closed_ = true;
    std::list<Line> gone;  // may hold the last of a lane, whose slot comes back here
    gone.swap(lines_);
  }

 private:
  struct Line {  // never empty
    std::string account;
    std::deque<std::function<void()>> waiting;
  };

  bool MayTake(const std::string& account) const {
    const bool others_wait =
        std::any_of(lines_.begin(), lines_.end(), [&](const Line& line) { return line.account != account; });
    const std::size_t account_max = others_wait ? (slots_max_ + 1) / 2 : slots_max_ - slots_max_ / 8;
    const auto taken = taken_by_account_.find(account);
    return taken_ < slots_max_ && (taken == taken_by_account_.end() || taken->second < account_max);
  }

  void Return(const std::string& account) {
    --taken_;
    const auto taken = taken_by_account_.find(account);
    if (--taken->second == 0) taken_by_account_.erase(taken);
    if (serving_) return;  // a waiter that took and gave back at once: the loop below goes on
    serving_ = true;
    while (ServeOne()) {
    }
    serving_ = false;
  }

  bool ServeOne() {
    const auto line = std::find_if(lines_.begin(), lines_.end(), [&](const Line& one) { return MayTake(one.account); });
    if (line == lines_.end()) return false;
    const std::function<void()> next = std::move(line->waiting.front());
    line->waiting.pop_front();
    if (line->waiting.empty()) {
      lines_.erase(line);
    } else {
      lines_.splice(lines_.end(), lines_, line);
    }
    next();
    return true;
  }

  const std::size_t slots_max_;
  std::size_t taken_ = 0;
  std::map<std::string, std::size_t> taken_by_account_;  // of those that have any
  bool serving_ = false;
  bool closed_ = false;
  std::list<Line> lines_;  // of accounts that wait, the next one first
};

}  // namespace sender
