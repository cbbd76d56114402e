#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libs/scheduler/sequence.h"

namespace scheduler {

// Waiting sequences, one first-in-first-out queue a tenant; tenants take turns. A tenant with a thousand waiting
// sequences delays another tenant's first by one admission, not by a thousand.
//
// Ownership: points at sequences that the scheduler owns.
// Threading: confined to the scheduler thread.
// Cost:      Push, Front and PopFront O(1); Remove and TakeExpired O(waiting).
class TenantQueues {
 public:
  void Push(Sequence* sequence);
  Sequence* Front() const;                // whose turn it is; nullptr when nothing waits
  void PopFront();                        // REQUIRES: Front() != nullptr. The next tenant's turn begins
  bool Remove(const Sequence* sequence);  // false: not here

  // Removes and returns those whose deadline has passed.
  std::vector<Sequence*> TakeExpired(base::MonotonicTime now);

  std::size_t size() const { return size_; }

 private:
  struct Tenant {
    std::string name;
    std::deque<Sequence*> waiting;
  };

  void DropEmptyTenants();

  std::deque<std::unique_ptr<Tenant>> turns_;  // tenants with waiting sequences; the front one is next
  absl::flat_hash_map<std::string, Tenant*> by_name_;
  std::size_t size_ = 0;
};

}  // namespace scheduler
