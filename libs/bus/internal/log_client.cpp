#include "libs/bus/internal/log_client.h"

#include <algorithm>
#include <string>

#include "libs/base/str_cat.h"
#include "libs/bus/internal/client_config.h"

namespace bus::internal {

int TimeoutMs(base::MonotonicTime deadline, std::int64_t at_most_ms) {
  return static_cast<int>(std::clamp<std::int64_t>(base::ToMs(deadline - base::Clock::Real().Now()), 0, at_most_ms));
}

absl::StatusOr<ClientPtr> OpenLogClient(const BusOptions& bus, std::string_view service, void* opaque) {
  absl::StatusOr<ClientConfig> config = ClientConfig::Make(bus, service);
  if (!config.ok()) return config.status();
  // librdkafka assigns partitions only within a group; this one is never joined and nothing is committed to it.
  config->Set("group.id", base::StrCat(bus.topic_prefix, "log-reader-", service));
  config->Set("enable.auto.commit", "false");
  config->Set("enable.auto.offset.store", "false");
  config->Set("auto.offset.reset", "earliest");  // retention may have passed the offset asked for
  config->Set("allow.auto.create.topics", "false");
  config->Set("enable.partition.eof", "true");
  config->Set("fetch.wait.max.ms", 100);  // a partition that is added waits for the fetch on its way
  config->Set("fetch.error.backoff.ms", 100);
  config->Set("fetch.message.max.bytes", kRecordBytesMax);
  absl::StatusOr<ClientPtr> client = std::move(*config).NewClient(RD_KAFKA_CONSUMER, opaque);
  if (client.ok()) rd_kafka_poll_set_consumer(client->get());
  return client;
}

PartitionListPtr ListOf(const TopicPartition& partition, std::int64_t offset) {
  PartitionListPtr list = NewPartitionList(1);
  rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition)->offset = offset;
  return list;
}

absl::Status AssignFrom(rd_kafka_t* client, const TopicPartition& partition, std::int64_t from_offset) {
  const std::int64_t offset = from_offset == LogReader::kFromBeginning ? RD_KAFKA_OFFSET_BEGINNING : from_offset;
  const ErrorPtr error(rd_kafka_incremental_assign(client, ListOf(partition, offset).get()));
  if (error == nullptr) return absl::OkStatus();
  return ToStatus(rd_kafka_error_code(error.get()), base::StrCat("read ", partition.topic, "/", partition.partition));
}

absl::StatusOr<LogReader::Watermarks> QueryWatermarks(rd_kafka_t* client, const TopicPartition& partition,
                                                      base::MonotonicTime deadline) {
  LogReader::Watermarks marks;
  const rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(
      client, partition.topic.c_str(), partition.partition, &marks.low, &marks.high, TimeoutMs(deadline, 60'000));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return marks;
  const std::string what = base::StrCat("offsets of ", partition.topic, "/", partition.partition);
  if (error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
      error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
    return absl::NotFoundError(base::StrCat(what, ": no such topic or partition"));
  }
  return ToStatus(error, what);
}

}  // namespace bus::internal
