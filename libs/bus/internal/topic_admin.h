#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/bus/internal/kafka_handle.h"
#include "libs/bus/internal/topic_spec.h"
#include "libs/bus/options.h"

namespace bus::internal {

struct NewTopic {
  std::string name;
  std::int32_t partitions = 1;
  std::int32_t replication_factor = 1;
  std::vector<TopicSetting> settings;
};

// Kafka's admin calls, each waiting for the answer until a deadline. Unavailable: try again.
//
// Threading: one thread at a time.
class TopicAdmin {
 public:
  static absl::StatusOr<std::unique_ptr<TopicAdmin>> Open(const BusOptions& bus);

  // Topics and their partition counts.
  absl::StatusOr<std::map<std::string, std::int32_t>> List(base::MonotonicTime deadline);

  // Topics and how many copies their partitions have; of unequal ones, the fewest.
  absl::StatusOr<std::map<std::string, std::int32_t>> ListCopies(base::MonotonicTime deadline);

  // A topic that exists already is fine: several services start at once.
  absl::Status Create(const std::vector<NewTopic>& topics, base::MonotonicTime deadline);

  // OK when the leader of every partition serves it. Right after creation the metadata names leaders that do not yet.
  absl::Status CheckServed(const std::map<std::string, std::int32_t>& topics, base::MonotonicTime deadline);

  // By topic, its settings. Every one of `topics` is in the result.
  using Settings = std::map<std::string, std::string>;
  absl::StatusOr<std::map<std::string, Settings>> Describe(const std::vector<std::string>& topics,
                                                           base::MonotonicTime deadline);

 private:
  TopicAdmin() = default;
  absl::StatusOr<std::map<std::string, std::int32_t>> ListTopics(
      base::MonotonicTime deadline, std::int32_t (*number_of)(const rd_kafka_metadata_topic_t& topic));

  std::string brokers_;
  ClientPtr client_;
  QueuePtr results_;  // destroyed before the client
};

}  // namespace bus::internal
