#include "libs/bus/internal/topic_admin.h"

#include <algorithm>
#include <array>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/bus/internal/client_config.h"

namespace bus::internal {
namespace {

// One try of a call; what is left of the deadline is for the next.
constexpr std::int64_t kTryMs = 5000;

int TimeoutMs(base::MonotonicTime deadline) {
  return static_cast<int>(std::clamp<std::int64_t>(base::ToMs(deadline - base::Clock::Real().Now()), 1, kTryMs));
}

struct NewTopicDeleter {
  void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
};
struct ResourceDeleter {
  void operator()(rd_kafka_ConfigResource_t* resource) const { rd_kafka_ConfigResource_destroy(resource); }
};
struct AdminOptionsDeleter {
  void operator()(rd_kafka_AdminOptions_t* options) const { rd_kafka_AdminOptions_destroy(options); }
};
using NewTopicPtr = std::unique_ptr<rd_kafka_NewTopic_t, NewTopicDeleter>;
using ResourcePtr = std::unique_ptr<rd_kafka_ConfigResource_t, ResourceDeleter>;
using AdminOptionsPtr = std::unique_ptr<rd_kafka_AdminOptions_t, AdminOptionsDeleter>;

AdminOptionsPtr MakeAdminOptions(rd_kafka_t* client, rd_kafka_admin_op_t op, int timeout_ms) {
  AdminOptionsPtr options(rd_kafka_AdminOptions_new(client, op));
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms, nullptr, 0);
  if (op == RD_KAFKA_ADMIN_OP_CREATETOPICS) {
    rd_kafka_AdminOptions_set_operation_timeout(options.get(), timeout_ms, nullptr, 0);
  }
  return options;
}

// The answer to the call just made. Nothing else uses the queue, so an event of another type is an answer that a try
// before gave up waiting for.
EventPtr WaitFor(rd_kafka_queue_t* results, rd_kafka_event_type_t type, int timeout_ms) {
  const base::MonotonicTime deadline = base::Clock::Real().Now() + std::chrono::milliseconds(timeout_ms + 500);
  while (true) {
    EventPtr event(rd_kafka_queue_poll(results, TimeoutMs(deadline)));
    if (event != nullptr && rd_kafka_event_type(event.get()) == type) return event;
    if (base::Clock::Real().Now() >= deadline) return nullptr;
  }
}

absl::StatusOr<NewTopicPtr> ToNewTopic(const NewTopic& topic) {
  std::array<char, 256> error{};
  NewTopicPtr result(rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, topic.replication_factor, error.data(),
                                           error.size()));
  if (result == nullptr) return absl::InvalidArgumentError(base::StrCat("topic ", topic.name, ": ", error.data()));
  for (const TopicSetting& setting : topic.settings) {
    rd_kafka_NewTopic_set_config(result.get(), setting.name.c_str(), setting.wanted.c_str());
  }
  return result;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TopicAdmin>> TopicAdmin::Open(const BusOptions& bus) {
  absl::StatusOr<ClientConfig> config = ClientConfig::Make(bus, "admin");
  if (!config.ok()) return config.status();
  absl::StatusOr<ClientPtr> client = std::move(*config).NewClient(RD_KAFKA_PRODUCER, nullptr);
  if (!client.ok()) return client.status();
  std::unique_ptr<TopicAdmin> admin(new TopicAdmin);
  admin->brokers_ = bus.brokers;
  admin->client_ = *std::move(client);
  admin->results_.reset(rd_kafka_queue_new(admin->client_.get()));
  return admin;
}

absl::StatusOr<std::map<std::string, std::int32_t>> TopicAdmin::List(base::MonotonicTime deadline) {
  return ListTopics(deadline, [](const rd_kafka_metadata_topic_t& topic) { return topic.partition_cnt; });
}

absl::StatusOr<std::map<std::string, std::int32_t>> TopicAdmin::ListCopies(base::MonotonicTime deadline) {
  return ListTopics(deadline, [](const rd_kafka_metadata_topic_t& topic) {
    std::int32_t fewest = topic.partition_cnt == 0 ? 0 : topic.partitions[0].replica_cnt;
    for (int i = 1; i < topic.partition_cnt; ++i) fewest = std::min(fewest, topic.partitions[i].replica_cnt);
    return fewest;
  });
}

absl::StatusOr<std::map<std::string, std::int32_t>> TopicAdmin::ListTopics(
    base::MonotonicTime deadline, std::int32_t (*number_of)(const rd_kafka_metadata_topic_t& topic)) {
  const struct rd_kafka_metadata* metadata = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(client_.get(), /*all_topics=*/1, nullptr, &metadata, TimeoutMs(deadline));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return ToStatus(error, base::StrCat("Kafka brokers at ", brokers_, " (kafka-brokers): list topics"));
  }
  std::map<std::string, std::int32_t> topics;
  for (int i = 0; i < metadata->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = metadata->topics[i];
    if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR) topics.emplace(topic.topic, number_of(topic));
  }
  rd_kafka_metadata_destroy(metadata);
  return topics;
}

absl::Status TopicAdmin::Create(const std::vector<NewTopic>& topics, base::MonotonicTime deadline) {
  std::vector<NewTopicPtr> owned;
  std::vector<rd_kafka_NewTopic_t*> raw;
  for (const NewTopic& topic : topics) {
    absl::StatusOr<NewTopicPtr> converted = ToNewTopic(topic);
    if (!converted.ok()) return converted.status();
    raw.push_back(converted->get());
    owned.push_back(*std::move(converted));
  }
  const int timeout_ms = TimeoutMs(deadline);
  const AdminOptionsPtr options = MakeAdminOptions(client_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms);
  rd_kafka_CreateTopics(client_.get(), raw.data(), raw.size(), options.get(), results_.get());
  const EventPtr event = WaitFor(results_.get(), RD_KAFKA_EVENT_CREATETOPICS_RESULT, timeout_ms);
  if (event == nullptr) return absl::UnavailableError("create topics: no answer from the Kafka brokers");
  if (rd_kafka_resp_err_t error = rd_kafka_event_error(event.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return ToStatus(error, "create topics");
  }
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[i]);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;
    const char* text = rd_kafka_topic_result_error_string(results[i]);
    const std::string what =
        base::StrCat("create topic ", rd_kafka_topic_result_name(results[i]), ": ", text == nullptr ? "" : text);
    // The broker understood and said no: asking again changes nothing.
    if (error == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR || error == RD_KAFKA_RESP_ERR_INVALID_CONFIG ||
        error == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS || error == RD_KAFKA_RESP_ERR_POLICY_VIOLATION) {
      return absl::FailedPreconditionError(what);
    }
    return ToStatus(error, what);
  }
  return absl::OkStatus();
}

absl::Status TopicAdmin::CheckServed(const std::map<std::string, std::int32_t>& topics, base::MonotonicTime deadline) {
  for (const auto& [topic, partitions] : topics) {
    for (std::int32_t partition = 0; partition < partitions; ++partition) {
      std::int64_t low = 0;
      std::int64_t high = 0;
      const rd_kafka_resp_err_t error =
          rd_kafka_query_watermark_offsets(client_.get(), topic.c_str(), partition, &low, &high, TimeoutMs(deadline));
      if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return ToStatus(error, base::StrCat("topic ", topic, "/", partition));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, TopicAdmin::Settings>> TopicAdmin::Describe(const std::vector<std::string>& topics,
                                                                                 base::MonotonicTime deadline) {
  std::vector<ResourcePtr> owned;
  std::vector<rd_kafka_ConfigResource_t*> raw;
  for (const std::string& topic : topics) {
    owned.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    raw.push_back(owned.back().get());
  }
  const int timeout_ms = TimeoutMs(deadline);
  const AdminOptionsPtr options = MakeAdminOptions(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms);
  rd_kafka_DescribeConfigs(client_.get(), raw.data(), raw.size(), options.get(), results_.get());
  const EventPtr event = WaitFor(results_.get(), RD_KAFKA_EVENT_DESCRIBECONFIGS_RESULT, timeout_ms);
  if (event == nullptr) return absl::UnavailableError("describe topics: no answer from the Kafka brokers");
  if (rd_kafka_resp_err_t error = rd_kafka_event_error(event.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return ToStatus(error, "describe topics");
  }
  std::map<std::string, Settings> described;
  std::size_t resource_count = 0;
  const rd_kafka_ConfigResource_t** resources =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event.get()), &resource_count);
  for (std::size_t i = 0; i < resource_count; ++i) {
    const std::string name = rd_kafka_ConfigResource_name(resources[i]);
    if (rd_kafka_resp_err_t error = rd_kafka_ConfigResource_error(resources[i]); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return ToStatus(error, base::StrCat("describe topic ", name));
    }
    std::size_t entry_count = 0;
    const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(resources[i], &entry_count);
    Settings& settings = described[name];
    for (std::size_t j = 0; j < entry_count; ++j) {
      const char* value = rd_kafka_ConfigEntry_value(entries[j]);
      if (value != nullptr) settings.emplace(rd_kafka_ConfigEntry_name(entries[j]), value);
    }
  }
  for (const std::string& topic : topics) {
    if (!described.contains(topic))
      return absl::UnavailableError(base::StrCat("describe topic ", topic, ": no answer"));
  }
  return described;
}

}  // namespace bus::internal
