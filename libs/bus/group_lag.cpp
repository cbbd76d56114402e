#include "libs/bus/group_lag.h"

#include <algorithm>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/bus/internal/client_config.h"
#include "libs/bus/internal/kafka_handle.h"
#include "libs/bus/internal/topic_admin.h"

namespace bus {
namespace {

using internal::ClientConfig;
using internal::ClientPtr;
using internal::PartitionListPtr;

int TimeoutMs(base::MonotonicTime deadline) {
  return static_cast<int>(std::max<std::int64_t>(base::ToMs(deadline - base::Clock::Real().Now()), 1));
}

// A client with the group's id can ask for its commits without being a member.
absl::StatusOr<ClientPtr> OpenAsker(const BusOptions& bus, std::string_view group) {
  absl::StatusOr<ClientConfig> config = ClientConfig::Make(bus, "lag");
  if (!config.ok()) return config.status();
  config->Set("group.id", base::StrCat(bus.topic_prefix, group));
  config->Set("enable.auto.commit", "false");
  return std::move(*config).NewClient(RD_KAFKA_CONSUMER, nullptr);
}

class KafkaGroupLagReader final : public GroupLagReader {
 public:
  KafkaGroupLagReader(ClientPtr client, std::string group) : client_(std::move(client)), group_(std::move(group)) {}

  absl::StatusOr<std::vector<PartitionLag>> Read(const std::vector<TopicPartition>& partitions,
                                                 base::MonotonicTime deadline) override;

 private:
  const ClientPtr client_;
  const std::string group_;
};

absl::StatusOr<std::vector<PartitionLag>> KafkaGroupLagReader::Read(const std::vector<TopicPartition>& partitions,
                                                                    base::MonotonicTime deadline) {
  const PartitionListPtr list = internal::NewPartitionList(partitions.size());
  for (const TopicPartition& partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition);
  }
  rd_kafka_resp_err_t error = rd_kafka_committed(client_.get(), list.get(), TimeoutMs(deadline));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return internal::ToStatus(error, base::StrCat("reading the commits of group ", group_));
  }
  std::vector<PartitionLag> lags;
  for (int i = 0; i < list->cnt; ++i) {
    PartitionLag lag;
    lag.partition = partitions[static_cast<std::size_t>(i)];
    lag.committed = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
    error = rd_kafka_query_watermark_offsets(client_.get(), lag.partition.topic.c_str(), lag.partition.partition,
                                             &lag.low, &lag.end, TimeoutMs(deadline));
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return internal::ToStatus(
          error, base::StrCat("reading the end of ", lag.partition.topic, " partition ", lag.partition.partition));
    }
    lags.push_back(lag);
  }
  return lags;
}

}  // namespace

absl::StatusOr<std::vector<TopicPartition>> PartitionsOf(const BusOptions& bus, const std::string& topic,
                                                         base::MonotonicTime deadline) {
  absl::StatusOr<std::unique_ptr<internal::TopicAdmin>> admin = internal::TopicAdmin::Open(bus);
  if (!admin.ok()) return admin.status();
  const auto counts = (*admin)->List(deadline);
  if (!counts.ok()) return counts.status();
  const auto count = counts->find(topic);
  if (count == counts->end()) {
    return absl::NotFoundError(base::StrCat("no topic ", topic, " at ", bus.brokers,
                                            "; no service has created it yet, or --kafka-topic-prefix is another"));
  }
  std::vector<TopicPartition> partitions;
  for (std::int32_t partition = 0; partition < count->second; ++partition) partitions.push_back({topic, partition});
  return partitions;
}

absl::StatusOr<std::unique_ptr<GroupLagReader>> GroupLagReader::Open(const BusOptions& bus, std::string_view group) {
  absl::StatusOr<ClientPtr> client = OpenAsker(bus, group);
  if (!client.ok()) return client.status();
  return std::make_unique<KafkaGroupLagReader>(*std::move(client), std::string(group));
}

absl::StatusOr<std::vector<PartitionLag>> GroupLag(const BusOptions& bus, std::string_view group,
                                                   const std::string& topic, base::MonotonicTime deadline) {
  const absl::StatusOr<std::vector<TopicPartition>> partitions = PartitionsOf(bus, topic, deadline);
  if (!partitions.ok()) return partitions.status();
  const absl::StatusOr<std::unique_ptr<GroupLagReader>> reader = GroupLagReader::Open(bus, group);
  if (!reader.ok()) return reader.status();
  return (*reader)->Read(*partitions, deadline);
}

}  // namespace bus
