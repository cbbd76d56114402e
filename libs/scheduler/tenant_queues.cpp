#include "libs/scheduler/tenant_queues.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "libs/base/check.h"

namespace scheduler {

void TenantQueues::Push(Sequence* sequence, std::int64_t step) {
  auto found = tenants_.find(sequence->tenant_name);
  if (found == tenants_.end()) {
    auto fresh = std::make_unique<Tenant>();
    fresh->name = sequence->tenant_name;
    fresh->served = tenants_.empty() ? 0 : LeastServed();
    if (const auto kept = gone_.find(fresh->name); kept != gone_.end()) {
      fresh->served = std::max(fresh->served, kept->second);
      gone_.erase(kept);
    }
    found = tenants_.emplace(sequence->tenant_name, std::move(fresh)).first;
  }
  Tenant* const tenant = found->second.get();
  const bool waited = std::ranges::any_of(tenant->waiting, [](const auto& queue) { return !queue.empty(); });
  if (!waited) tenant->admitted_last = step;
  ++tenant->sequences;
  sequence->tenant = tenant;
  sequence->wait_began = step;
  sequence->arrival = ++arrivals_;
  tenant->waiting[static_cast<std::size_t>(sequence->priority)].push_back(sequence);
  ++size_;
}

std::int32_t TenantQueues::RankAt(const Sequence& sequence, std::int64_t step) const {
  const std::int64_t waited = sequence.steps_waited + step - sequence.wait_began;
  return static_cast<std::int32_t>(std::max<std::int64_t>(0, sequence.priority - waited / aging_.rank_steps));
}

Sequence* TenantQueues::Front(std::int64_t step) {
  using Order = std::tuple<std::int32_t, std::int64_t, std::uint64_t>;
  Sequence* front = nullptr;
  Order front_order;
  for (const auto& [name, tenant] : tenants_) {
    Sequence* next = nullptr;
    for (const auto& queue : tenant->waiting) {
      if (queue.empty()) continue;
      queue.front()->rank = RankAt(*queue.front(), step);
      const bool before = next == nullptr || std::tuple(queue.front()->rank, queue.front()->arrival) <
                                                 std::tuple(next->rank, next->arrival);
      if (before) next = queue.front();
    }
    if (next == nullptr) continue;
    Order order{next->rank, tenant->served, next->arrival};
    if (step - tenant->admitted_last >= aging_.overdue_steps) {
      next->rank = 0;
      order = {-1, tenant->admitted_last, next->arrival};
    }
    if (front == nullptr || order < front_order) {
      front = next;
      front_order = order;
    }
  }
  return front;
}

void TenantQueues::Pop(Sequence* sequence, std::int64_t step) {
  std::deque<Sequence*>& queue = sequence->tenant->waiting[static_cast<std::size_t>(sequence->priority)];
  CHECK(!queue.empty() && queue.front() == sequence);
  queue.pop_front();
  sequence->tenant->admitted_last = step;
  --size_;
}

bool TenantQueues::Remove(const Sequence* sequence) {
  std::deque<Sequence*>& queue = sequence->tenant->waiting[static_cast<std::size_t>(sequence->priority)];
  const std::size_t removed = std::erase(queue, sequence);
  size_ -= removed;
  return removed > 0;
}

std::vector<Sequence*> TenantQueues::TakeExpired(base::MonotonicTime now) {
  std::vector<Sequence*> expired;
  if (size_ == 0) return expired;
  for (const auto& [name, tenant] : tenants_) {
    for (auto& queue : tenant->waiting) {
      std::erase_if(queue, [&](Sequence* sequence) {
        const bool late = sequence->deadline != base::MonotonicTime{} && sequence->deadline <= now;
        if (late) expired.push_back(sequence);
        return late;
      });
    }
  }
  size_ -= expired.size();
  return expired;
}

void TenantQueues::Join(Sequence* branch) {
  branch->tenant = tenants_.at(branch->tenant_name).get();
  ++branch->tenant->sequences;
}

void TenantQueues::Leave(Sequence& sequence) {
  Tenant* tenant = std::exchange(sequence.tenant, nullptr);
  if (--tenant->sequences > 0) return;
  const std::int64_t served = tenant->served;
  tenants_.erase(sequence.tenant_name);
  KeepCounter(sequence.tenant_name, served);
}

std::int64_t TenantQueues::LeastServed() const {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const auto& [name, tenant] : tenants_) least = std::min(least, tenant->served);
  return least;
}

// When there are too many, who was served least loses least by being forgotten.
void TenantQueues::KeepCounter(const std::string& tenant, std::int64_t served) {
  if (tenants_.empty()) {
    gone_.clear();
    return;
  }
  gone_[tenant] = served;
  absl::erase_if(gone_, [least = LeastServed()](const auto& kept) { return kept.second <= least; });
  if (gone_.size() <= kGoneMax) return;
  gone_.erase(std::ranges::min_element(gone_, {}, [](const auto& kept) { return kept.second; }));
}

}  // namespace scheduler
