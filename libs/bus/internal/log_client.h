#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/bus/internal/kafka_handle.h"
#include "libs/bus/log_reader.h"
#include "libs/bus/options.h"

// What readers of the log outside any group have in common.
namespace bus::internal {

// A consumer that joins no group and commits nothing; its records and the ends of partitions come from
// rd_kafka_consumer_poll.
absl::StatusOr<ClientPtr> OpenLogClient(const BusOptions& bus, std::string_view service, void* opaque);

PartitionListPtr ListOf(const TopicPartition& partition, std::int64_t offset);

// `from_offset` may be LogReader::kFromBeginning.
absl::Status AssignFrom(rd_kafka_t* client, const TopicPartition& partition, std::int64_t from_offset);

// NotFound: no such topic or partition.
absl::StatusOr<LogReader::Watermarks> QueryWatermarks(rd_kafka_t* client, const TopicPartition& partition,
                                                      base::MonotonicTime deadline);

int TimeoutMs(base::MonotonicTime deadline, std::int64_t at_most_ms);  // what is left, within [0, at_most_ms]

}  // namespace bus::internal
