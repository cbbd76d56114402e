#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bus {

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

// Where a record stands in the log.
struct RecordPosition {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

using Headers = std::vector<std::pair<std::string, std::string>>;

// The value of header `name`, or empty.
std::string_view FindHeader(const Headers& headers, std::string_view name);

// Puts a value in the place of the one that stands under `name`, or at the end.
void SetHeader(Headers& headers, std::string_view name, std::string value);

// A record read from the log. Owns its bytes.
struct Record {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::string key;
  std::string value;
  Headers headers;
  std::int64_t timestamp_ms = 0;
  std::uint32_t note = 0;  // left by an earlier reader of the group (Consumer::Note); 0: none
};

// "topic/partition/offset": how logs, dead letters and tools name a record.
std::string RecordPlace(const Record& record);

// A record to be written.
struct OutgoingRecord {
  std::string topic;
  std::int32_t partition = -1;  // -1: chosen from the key by PartitionFor
  std::string key;
  std::string value;
  Headers headers;
};

// The partition of a conversation, the same in every topic of a generation: Kafka's murmur2, as the Java client's
// default partitioner computes it (org.apache.kafka.common.utils.Utils.murmur2; toPositive(hash) % partitions).
// REQUIRES: partitions > 0
std::int32_t PartitionFor(std::string_view key, std::int32_t partitions);

}  // namespace bus
