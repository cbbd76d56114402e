#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "libs/ledger/ledger_state.h"

namespace sender {

// A ledger partition as it is read: its state, and who waits for it to be read up to an offset.
//
// One lives for each partition this process was ever assigned, and keeps being read afterwards: a partition that comes
// back needs no second reading from the beginning, and sends that were in flight when it went away still see their end.
// Threading: none; confined to the sender's loop.
class LedgerTail {
 public:
  LedgerTail(std::int32_t partition, std::size_t settled_detail_max)
      : partition_(partition), state_(settled_detail_max) {}

  // Runs `task` once the record at `offset` has been applied; at once when it has been already.
  void Await(std::int64_t offset, std::function<void()> task) {
    if (state_.next_offset() > offset) return task();
    waiting_.emplace(offset, std::move(task));
  }

  // Applies a record and then runs what waited for it. Observers learn the change first.
  void Apply(std::int64_t offset, const mesh::bus::v1::LedgerRecord& record,
             const std::function<void(const ledger::LedgerState::Change&)>& observe) {
    observe(state_.Apply(offset, record));
    while (!waiting_.empty() && waiting_.begin()->first <= offset) {
      const std::function<void()> task = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
      task();
    }
  }

  std::int32_t partition() const { return partition_; }
  ledger::LedgerState& state() { return state_; }
  const ledger::LedgerState& state() const { return state_; }
  std::size_t waiting_count() const { return waiting_.size(); }

 private:
  const std::int32_t partition_;
  ledger::LedgerState state_;
  std::multimap<std::int64_t, std::function<void()>> waiting_;
};

}  // namespace sender
