#include "services/meshctl/read_topic.h"

#include <chrono>
#include <cstdint>

#include "libs/base/clock.h"
#include "libs/bus/group_lag.h"
#include "libs/bus/log_reader.h"
#include "libs/bus/topics.h"

namespace meshctl {
namespace {

constexpr auto kTimeout = std::chrono::seconds(60);

}  // namespace

absl::Status ReadTopic(const bus::BusOptions& options, std::string_view topic, const std::string& key,
                       const std::function<void(const bus::Record&)>& take) {
  const base::MonotonicTime deadline = base::Clock::Real().Now() + kTimeout;
  auto partitions = bus::PartitionsOf(options, bus::TopicName(options, topic), deadline);
  if (!partitions.ok()) return partitions.status();
  if (!key.empty() && !partitions->empty()) {
    const std::int32_t only = bus::PartitionFor(key, static_cast<std::int32_t>(partitions->size()));
    partitions->assign(1, bus::TopicPartition{partitions->front().topic, only});
  }
  return bus::ReadThrough(
      options, "meshctl", *partitions,
      [&](const bus::Record& record) {
        take(record);
        return true;
      },
      deadline);
}

}  // namespace meshctl
