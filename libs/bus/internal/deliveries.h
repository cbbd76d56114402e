#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_set>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/bus/producer.h"
#include "libs/telemetry/metrics.h"

namespace bus::internal {

// Metric handles of one topic's produced records.
struct TopicMetrics {
  telemetry::Counter produced;
  telemetry::Counter failures;
  telemetry::Histogram seconds;
};

// A record on its way, known to librdkafka by its address.
struct Delivery {
  DeliveryCallback on_delivery;
  const TopicMetrics* metrics = nullptr;
  std::uint64_t client = 0;  // which client in turn carries it
  base::MonotonicTime started;
};

// All records on their way, so that each callback runs exactly once whatever becomes of the client: a client that is
// destroyed drops its delivery reports.
//
// Threading: any thread. Callbacks run without the lock held.
class Deliveries {
 public:
  Deliveries() = default;
  ~Deliveries();  // REQUIRES: none on its way
  Deliveries(const Deliveries&) = delete;
  Deliveries& operator=(const Deliveries&) = delete;

  Delivery* Add(DeliveryCallback on_delivery, const TopicMetrics* metrics, std::uint64_t client);
  void Settle(Delivery* delivery, absl::StatusOr<RecordPosition> result);  // frees it

  // Settles with `status` what `client` has not reported. REQUIRES: that client is destroyed
  void FailAllOf(std::uint64_t client, const absl::Status& status);

  // True when the callbacks of all records have returned before the deadline.
  bool WaitUntilNone(base::MonotonicTime deadline);

  std::size_t count() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable none_;
  std::unordered_set<Delivery*> on_the_way_;  // protected by mutex_
  std::size_t unsettled_ = 0;                 // protected by mutex_; also those whose callback is running
};

}  // namespace bus::internal
