#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/bus/options.h"
#include "libs/bus/record.h"

namespace bus {

// Every partition of a topic (full name); NotFound when there is no such topic. For tools and the exporter.
absl::StatusOr<std::vector<TopicPartition>> PartitionsOf(const BusOptions& bus, const std::string& topic,
                                                         base::MonotonicTime deadline);

struct PartitionLag {
  TopicPartition partition;
  std::int64_t low = 0;         // first offset the broker holds
  std::int64_t end = 0;         // one past the last
  std::int64_t committed = -1;  // of the group; -1: it never committed

  // Records that the group has not finished, in messages. What it finished beyond the watermark counts as unfinished.
  std::int64_t lag() const { return end - (committed < low ? low : committed); }
};

// Asks again and again over one connection. Of each partition the commit is read before the end, so `committed` is
// never beyond `end` unless the log has been made anew.
//
// Threading: one thread at a time; it waits for the broker.
class GroupLagReader {
 public:
  static absl::StatusOr<std::unique_ptr<GroupLagReader>> Open(const BusOptions& bus, std::string_view group);
  virtual ~GroupLagReader() = default;

  // In the order of `partitions` (full topic names). Unavailable: try again, with a reader opened anew; this one may go
  // on asking the former leader of a partition for minutes after it has moved.
  virtual absl::StatusOr<std::vector<PartitionLag>> Read(const std::vector<TopicPartition>& partitions,
                                                         base::MonotonicTime deadline) = 0;
};

// Where `group` (without prefix) stands on every partition of `topic` (full name). Asks the broker; joins nothing.
//
// Connections are kept between looks: a client made for one look costs the broker more than all it asks. Partitions
// that are added meanwhile are seen within a minute.
//
// Threading: one thread at a time; it waits for the broker.
class GroupTopicLag {
 public:
  GroupTopicLag(BusOptions bus, std::string group, std::string topic);

  // NotFound: there is no such topic. After a failure the next look begins anew.
  absl::StatusOr<std::vector<PartitionLag>> Look(base::MonotonicTime deadline);

 private:
  absl::Status Open(base::MonotonicTime deadline);
  absl::StatusOr<std::vector<PartitionLag>> OpenAndRead(base::MonotonicTime deadline);

  const BusOptions bus_;
  const std::string group_, topic_;
  std::unique_ptr<GroupLagReader> reader_;  // nullptr: not open
  std::vector<TopicPartition> partitions_;
  base::MonotonicTime listed_at_{};  // when the partitions were
};

}  // namespace bus
