#include "libs/scheduler/tenant_queues.h"

#include <algorithm>
#include <utility>

#include "libs/base/check.h"

namespace scheduler {

void TenantQueues::Push(Sequence* sequence) {
  Tenant*& tenant = by_name_[sequence->tenant];
  if (tenant == nullptr) {
    turns_.push_back(std::make_unique<Tenant>(Tenant{sequence->tenant, {}}));
    tenant = turns_.back().get();
  }
  tenant->waiting.push_back(sequence);
  ++size_;
}

Sequence* TenantQueues::Front() const { return turns_.empty() ? nullptr : turns_.front()->waiting.front(); }

void TenantQueues::PopFront() {
  CHECK(!turns_.empty());
  std::unique_ptr<Tenant> tenant = std::move(turns_.front());
  turns_.pop_front();
  tenant->waiting.pop_front();
  --size_;
  if (tenant->waiting.empty()) {
    by_name_.erase(tenant->name);
  } else {
    turns_.push_back(std::move(tenant));
  }
}

bool TenantQueues::Remove(const Sequence* sequence) {
  const auto tenant = by_name_.find(sequence->tenant);
  if (tenant == by_name_.end()) return false;
  const std::size_t removed = std::erase(tenant->second->waiting, sequence);
  size_ -= removed;
  DropEmptyTenants();
  return removed > 0;
}

std::vector<Sequence*> TenantQueues::TakeExpired(base::MonotonicTime now) {
  std::vector<Sequence*> expired;
  for (const auto& tenant : turns_) {
    std::erase_if(tenant->waiting, [&](Sequence* sequence) {
      const bool late = sequence->deadline != base::MonotonicTime{} && sequence->deadline <= now;
      if (late) expired.push_back(sequence);
      return late;
    });
  }
  size_ -= expired.size();
  if (!expired.empty()) DropEmptyTenants();
  return expired;
}

void TenantQueues::DropEmptyTenants() {
  std::erase_if(turns_, [&](const std::unique_ptr<Tenant>& tenant) {
    if (!tenant->waiting.empty()) return false;
    by_name_.erase(tenant->name);
    return true;
  });
}

}  // namespace scheduler
