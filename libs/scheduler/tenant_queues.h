#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libs/scheduler/sequence.h"

namespace scheduler {

// A tenant with sequences that wait, run or are preempted.
struct Tenant {
  std::string name;
  std::int64_t served = 0;                                 // weighted tokens
  std::int32_t sequences = 0;                              // in any state
  std::int64_t admitted_last = 0;                          // step of the last admission, or since when it waits
  std::array<std::deque<Sequence*>, kPriorities> waiting;  // first in first out
};

// How long waiting takes to count, in steps.
struct Aging {
  std::int32_t rank_steps = 256;      // a sequence that waited so long goes as one priority higher
  std::int32_t overdue_steps = 1024;  // a tenant that was not admitted for so long goes before all others
};

// Waiting sequences, and whose turn it is: first by rank, which is the priority raised by waiting; among equals the
// tenant with the fewest tokens served (the virtual token counter of Sheng et al., OSDI 2024: prompt tokens that are
// computed weigh 1, generated ones 2, cached ones nothing); of one tenant, who came first.
//
//  - A tenant that comes is lifted to the smallest counter of those there, so that nobody saves up a claim by staying
//    away. Nor does it lose what it was served: the counter of a tenant without sequences is kept until the smallest
//    has reached it, or nobody is left who could have been kept waiting. Memory is O(sequences + kGoneMax).
//  - Nobody starves. Within a tenant, a sequence of priority p ranks with the highest after p * rank_steps. Across
//    tenants, whoever was not admitted for overdue_steps goes first, the longest waiting before the others; so with T
//    tenants waiting, a tenant's next sequence is at most overdue_steps and T admissions away.
//
// Ownership: points at sequences that the scheduler owns, and they at its tenants.
// Threading: confined to the scheduler thread.
// Cost:      Front O(tenants); Remove and TakeExpired O(waiting); Leave of a tenant's last O(tenants + kGoneMax).
class TenantQueues {
 public:
  static constexpr std::size_t kGoneMax = 1024;  // counters kept of tenants without sequences, the largest

  explicit TenantQueues(const Aging& aging) : aging_(aging) {}

  // `step`: how many steps have been run so far.
  void Push(Sequence* sequence, std::int64_t step);
  Sequence* Front(std::int64_t step);  // whose turn it is, with its rank as of now; nullptr when nothing waits
  void Pop(Sequence* sequence, std::int64_t step);  // it is admitted. REQUIRES: Front gave it last
  bool Remove(const Sequence* sequence);            // false: not here

  // Removes and returns those whose deadline has passed.
  std::vector<Sequence*> TakeExpired(base::MonotonicTime now);

  void Join(Sequence* branch);     // of a tenant that is there, and does not wait
  void Leave(Sequence& sequence);  // it is gone for good. REQUIRES: it does not wait
  static void Charge(Sequence& sequence, std::int64_t tokens) { sequence.tenant->served += tokens; }

  std::int32_t RankAt(const Sequence& sequence, std::int64_t step) const;

  std::size_t size() const { return size_; }
  std::size_t tenants() const { return tenants_.size(); }
  std::size_t gone() const { return gone_.size(); }
  std::int64_t ServedForTest(const std::string& tenant) const { return tenants_.at(tenant)->served; }

 private:
  std::int64_t LeastServed() const;  // REQUIRES: a tenant is there
  void KeepCounter(const std::string& tenant, std::int64_t served);

  const Aging aging_;
  absl::flat_hash_map<std::string, std::unique_ptr<Tenant>> tenants_;
  absl::flat_hash_map<std::string, std::int64_t> gone_;  // counters of tenants without sequences; at most kGoneMax
  std::uint64_t arrivals_ = 0;
  std::size_t size_ = 0;
};

}  // namespace scheduler
