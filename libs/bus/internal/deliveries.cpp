#include "libs/bus/internal/deliveries.h"

#include <memory>
#include <utility>
#include <vector>

#include "libs/base/check.h"

namespace bus::internal {

Deliveries::~Deliveries() { CHECK(unsettled_ == 0); }

Delivery* Deliveries::Add(DeliveryCallback on_delivery, const TopicMetrics* metrics, std::uint64_t client) {
  auto delivery = std::make_unique<Delivery>(Delivery{.on_delivery = std::move(on_delivery),
                                                      .metrics = metrics,
                                                      .client = client,
                                                      .started = base::Clock::Real().Now()});
  std::lock_guard lock(mutex_);
  on_the_way_.insert(delivery.get());
  ++unsettled_;
  return delivery.release();
}

void Deliveries::Settle(Delivery* delivery, absl::StatusOr<RecordPosition> result) {
  {
    std::lock_guard lock(mutex_);
    CHECK_MSG(on_the_way_.erase(delivery) == 1, "a record is reported once");
  }
  const std::unique_ptr<Delivery> owned(delivery);
  if (result.ok()) {
    owned->metrics->produced.Increment();
    owned->metrics->seconds.Observe(base::ToSeconds(base::Clock::Real().Now() - owned->started));
  } else {
    owned->metrics->failures.Increment();
  }
  if (owned->on_delivery) owned->on_delivery(std::move(result));
  std::lock_guard lock(mutex_);
  if (--unsettled_ == 0) none_.notify_all();
}

void Deliveries::FailAllOf(std::uint64_t client, const absl::Status& status) {
  std::vector<Delivery*> left;
  {
    std::lock_guard lock(mutex_);
    for (Delivery* delivery : on_the_way_) {
      if (delivery->client == client) left.push_back(delivery);
    }
  }
  for (Delivery* delivery : left) Settle(delivery, status);
}

bool Deliveries::WaitUntilNone(base::MonotonicTime deadline) {
  std::unique_lock lock(mutex_);
  return none_.wait_until(lock, deadline, [this] { return unsettled_ == 0; });
}

std::size_t Deliveries::count() const {
  std::lock_guard lock(mutex_);
  return unsettled_;
}

}  // namespace bus::internal
