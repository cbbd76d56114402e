#include "libs/bus/group_lag.h"

#include <algorithm>
#include <chrono>
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

constexpr base::Duration kPartitionsFor = std::chrono::minutes(1);

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
  absl::Status ReadOffsets(std::int64_t special_time, rd_kafka_topic_partition_list_t* list,
                           base::MonotonicTime deadline);

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
  std::vector<PartitionLag> lags(partitions.size());
  for (std::size_t i = 0; i < lags.size(); ++i) {
    const rd_kafka_topic_partition_t& element = list->elems[i];
    lags[i].partition = partitions[i];
    lags[i].committed = element.offset >= 0 ? element.offset : -1;
  }
  if (absl::Status status = ReadOffsets(RD_KAFKA_OFFSET_BEGINNING, list.get(), deadline); !status.ok()) return status;
  for (std::size_t i = 0; i < lags.size(); ++i) lags[i].low = list->elems[i].offset;
  if (absl::Status status = ReadOffsets(RD_KAFKA_OFFSET_END, list.get(), deadline); !status.ok()) return status;
  for (std::size_t i = 0; i < lags.size(); ++i) lags[i].end = list->elems[i].offset;
  return lags;
}

// One request to each leader, where rd_kafka_query_watermark_offsets would make two for each partition. The request has
// its special times, -2 and -1, in the field of times (Kafka protocol, ListOffsets).
absl::Status KafkaGroupLagReader::ReadOffsets(std::int64_t special_time, rd_kafka_topic_partition_list_t* list,
                                              base::MonotonicTime deadline) {
  for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = special_time;
  const rd_kafka_resp_err_t error = rd_kafka_offsets_for_times(client_.get(), list, TimeoutMs(deadline));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return internal::ToStatus(error, "reading ends of partitions");
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& element = list->elems[i];
    if (element.err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    return internal::ToStatus(element.err,
                              base::StrCat("reading the ends of ", element.topic, " partition ", element.partition));
  }
  return absl::OkStatus();
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

GroupTopicLag::GroupTopicLag(BusOptions bus, std::string group, std::string topic)
    : bus_(std::move(bus)), group_(std::move(group)), topic_(std::move(topic)) {}

absl::StatusOr<std::vector<PartitionLag>> GroupTopicLag::OpenAndRead(base::MonotonicTime deadline) {
  if (absl::Status status = Open(deadline); !status.ok()) return status;
  return reader_->Read(partitions_, deadline);
}

absl::Status GroupTopicLag::Open(base::MonotonicTime deadline) {
  const base::MonotonicTime now = base::Clock::Real().Now();
  if (!partitions_.empty() && now - listed_at_ < kPartitionsFor) return absl::OkStatus();
  absl::StatusOr<std::vector<TopicPartition>> partitions = PartitionsOf(bus_, topic_, deadline);
  if (!partitions.ok()) return partitions.status();
  partitions_ = *std::move(partitions);
  listed_at_ = now;
  if (reader_ != nullptr) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<GroupLagReader>> reader = GroupLagReader::Open(bus_, group_);
  if (!reader.ok()) return reader.status();
  reader_ = *std::move(reader);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PartitionLag>> GroupTopicLag::Look(base::MonotonicTime deadline) {
  absl::StatusOr<std::vector<PartitionLag>> lags = OpenAndRead(deadline);
  if (!lags.ok()) {
    reader_.reset();
    partitions_.clear();
  }
  return lags;
}

}  // namespace bus
