#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/bus/options.h"
#include "libs/bus/record.h"
#include "libs/telemetry/metrics.h"

namespace bus {

struct ProducerOptions {
  base::Duration delivery_timeout = std::chrono::milliseconds(3000);  // produce() to report, retries included
  std::int32_t queue_records_max = 20000;                             // bounded: full means Unavailable at once
  std::int32_t queue_bytes_max = 64 << 20;
  std::int32_t linger_ms = 0;  // librdkafka's queue.buffering.max.ms; 0 for the lowest latency
};

// Called exactly once a record, on the producer's poll thread: must not block. OK only when the log has persisted the
// record (acks=all). Unavailable: not persisted, or not known to be (retryable; a second copy is possible and every
// reader is built for that). InvalidArgument: larger than the broker takes. PermissionDenied: credentials or rights.
using DeliveryCallback = std::function<void(absl::StatusOr<RecordPosition>)>;

// Idempotent producer (enable.idempotence, acks=all), order kept within a partition.
//
// Threading: Produce from any thread. One poll thread of its own, joined by the destructor.
// Lifetime:  the destructor waits at most `delivery_timeout` for records in flight, and for none where the last Flush
//            has done so in vain; every callback runs before it returns, the last ones on its thread.
// Errors:    librdkafka looks for timed-out records once a second, so a report may come up to a second later than
//            `delivery_timeout`. A fatal error of the library fails what is in flight and replaces the client inside.
// Metrics:   <service>_bus_produced_total{topic}, _bus_produce_failures_total{topic}, _bus_produce_seconds{topic},
//            _bus_produce_queue_records.
class Producer {
 public:
  static absl::StatusOr<std::unique_ptr<Producer>> Create(const BusOptions& bus, const ProducerOptions& options,
                                                          std::string_view service, telemetry::Registry& metrics);
  virtual ~Producer() = default;

  // Never blocks. When the queue is full or the client has failed for good the callback runs at once, on this thread.
  virtual void Produce(OutgoingRecord record, DeliveryCallback on_delivery) = 0;

  // Waits for the delivery report. For start-up code, tools and threads that may block.
  absl::StatusOr<RecordPosition> ProduceAndWait(OutgoingRecord record);

  // Waits until nothing is in flight. DeadlineExceeded otherwise.
  virtual absl::Status Flush(base::MonotonicTime deadline) = 0;

  // OK while at least one broker is reachable; for /readyz. Cheap: kept by callbacks, not asked.
  virtual absl::Status broker_status() const = 0;
};

}  // namespace bus
