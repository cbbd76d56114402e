#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "libs/bus/group_lag.h"
#include "libs/redis/connection.h"
#include "services/exporter/config.h"
#include "services/exporter/metrics.h"
#include "services/exporter/nvml.h"
#include "services/exporter/queue_age.h"

namespace exporter {

// One look at each source. A source that fails keeps its last figures and says so by exporter_source_up; the others go
// on.
//
// Threading: one thread at a time. Blocks up to a few seconds while a source is away.
class Collector {
 public:
  Collector(const Options& options, std::vector<GroupAndTopic> groups, const Metrics* metrics);

  // The first failure of Kafka and Redis, which readiness tells; a machine may well have no GPU.
  absl::Status Look();

 private:
  absl::Status LookAtKafka();
  absl::Status LookAtGroup(std::size_t index, base::MonotonicTime deadline);
  absl::Status CountRecords(bus::GroupTopicLag& topic, const telemetry::Gauge& gauge, base::MonotonicTime deadline);
  absl::Status LookAtRedis();
  absl::Status LookAtGpus();

  const Options options_;
  const std::vector<GroupAndTopic> groups_;
  const Metrics* const metrics_;
  std::vector<bus::GroupTopicLag> lags_;      // as groups_
  std::vector<QueueAge> ages_;                // as groups_
  bus::GroupTopicLag dead_letters_, parked_;  // of a group that never commits: all of the topic is before it
  std::unique_ptr<redis::Connection> redis_;  // nullptr: not connected
  std::unique_ptr<Nvml> nvml_;                // nullptr: none on this machine
};

}  // namespace exporter
