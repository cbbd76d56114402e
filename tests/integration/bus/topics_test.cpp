// Topics are created once, by whoever starts first, and differences are named.
#include <gtest/gtest.h>

#include <librdkafka/rdkafka.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "libs/base/clock.h"
#include "libs/bus/internal/client_config.h"
#include "libs/bus/internal/topic_admin.h"
#include "tests/integration/bus/bus_fixture.h"
#include "tests/integration/harness/wait.h"

namespace bus {
namespace {

using std::chrono::seconds;

// Creates one topic as an operator might have, before the services start.
void CreateTopic(const BusOptions& options, std::string_view topic, std::int32_t partitions,
                 std::vector<internal::TopicSetting> settings) {
  auto admin = internal::TopicAdmin::Open(options);
  ASSERT_TRUE(admin.ok()) << admin.status();
  const absl::Status status = (*admin)->Create(
      {{.name = TopicName(options, topic), .partitions = partitions, .replication_factor = 1, .settings = settings}},
      In(seconds(20)));
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE(harness::WaitUntil([&] {
    const auto topics = (*admin)->List(In(seconds(5)));
    return topics.ok() && topics->contains(TopicName(options, topic));
  }));
}

TEST_F(BusTest, CreatedTopicsHaveTheStatedSettings) {
  auto admin = internal::TopicAdmin::Open(options_);
  ASSERT_TRUE(admin.ok()) << admin.status();
  const std::string ledger = TopicName(options_, kSendLedger);
  const std::string parked = TopicName(options_, kParked);
  const auto settings = (*admin)->Describe({ledger, parked}, In(seconds(20)));
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->at(ledger).at("cleanup.policy"), "compact,delete");
  EXPECT_EQ(settings->at(ledger).at("retention.ms"), std::to_string(8LL * 24 * 3600 * 1000));
  EXPECT_EQ(settings->at(ledger).at("max.message.bytes"), std::to_string(4 << 20));
  EXPECT_EQ(settings->at(ledger).at("message.timestamp.type"), "LogAppendTime");
  EXPECT_EQ(settings->at(parked).at("cleanup.policy"), "delete");
  EXPECT_EQ(settings->at(parked).at("retention.ms"), std::to_string(30LL * 24 * 3600 * 1000));
}

// Goal: a service whose clock is wrong can write, and retention does not take at once what it wrote.
TEST_F(BusTest, RecordsHaveTheBrokersTimeWhateverTheirProducersClock) {
  BusOptions fresh = options_;
  fresh.topic_prefix += "clock.";
  ASSERT_TRUE(EnsureTopics(fresh, In(seconds(30))).ok());
  auto config = internal::ClientConfig::Make(fresh, "test");
  ASSERT_TRUE(config.ok()) << config.status();
  auto client = std::move(*config).NewClient(RD_KAFKA_PRODUCER, nullptr);
  ASSERT_TRUE(client.ok()) << client.status();
  const std::int64_t now_ms = base::Clock::Real().WallMs();
  const std::string topic = TopicName(fresh, kTurns);
  for (const std::chrono::hours off : {std::chrono::hours(2), std::chrono::hours(-9 * 24)}) {
    const std::int64_t stamp = now_ms + std::chrono::milliseconds(off).count();
    ASSERT_EQ(rd_kafka_producev(client->get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(0),
                                RD_KAFKA_V_KEY("k", 1), RD_KAFKA_V_TIMESTAMP(stamp), RD_KAFKA_V_END),
              RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  ASSERT_EQ(rd_kafka_flush(client->get(), 20'000), RD_KAFKA_RESP_ERR_NO_ERROR);

  Member reader(fresh, GroupOf("clock", topic), FinishAll);
  reader.consumer().Start();
  ASSERT_TRUE(harness::WaitUntil([&] { return reader.record_count() == 2; }));
  for (const Record& record : reader.records()) {
    EXPECT_NEAR(static_cast<double>(record.timestamp_ms), static_cast<double>(now_ms), 60'000);
  }
}

TEST_F(BusTest, AllServicesMayCreateTopicsAtOnce) {
  BusOptions fresh = options_;
  fresh.topic_prefix += "race.";
  std::vector<std::thread> services;
  std::vector<absl::StatusOr<std::int32_t>> results(5, absl::UnknownError("not run"));
  for (std::size_t i = 0; i < results.size(); ++i) {
    services.emplace_back([&, i] { results[i] = EnsureTopics(fresh, In(seconds(30))); });
  }
  for (std::thread& service : services) service.join();
  for (const auto& result : results) {
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(*result, kPartitions);
  }
}

TEST_F(BusTest, ExistingPartitionCountWinsOverTheOption) {
  BusOptions fresh = options_;
  fresh.topic_prefix += "grown.";
  CreateTopic(fresh, kReplies, /*partitions=*/6,
              {{.name = "max.message.bytes", .wanted = "4194304"},
               {.name = "retention.ms", .wanted = "-1"},
               {.name = "message.timestamp.type", .wanted = "LogAppendTime"}});
  const absl::StatusOr<std::int32_t> partitions = EnsureTopics(fresh, In(seconds(30)));
  ASSERT_TRUE(partitions.ok()) << partitions.status();
  EXPECT_EQ(*partitions, 6);
}

TEST_F(BusTest, ADifferenceNamesTopicSettingFoundAndWanted) {
  const auto expect_refused = [this](const std::string& suffix, std::string_view topic, const std::string& name,
                                     const std::string& found, const std::string& wanted) {
    BusOptions fresh = options_;
    fresh.topic_prefix += suffix;
    std::vector<internal::TopicSetting> settings = {{.name = "max.message.bytes", .wanted = "4194304"},
                                                    {.name = "retention.ms", .wanted = "2592000000"},
                                                    {.name = "message.timestamp.type", .wanted = "LogAppendTime"}};
    std::erase_if(settings, [&](const internal::TopicSetting& setting) { return setting.name == name; });
    settings.push_back({.name = name, .wanted = found});
    CreateTopic(fresh, topic, kPartitions, settings);
    const absl::StatusOr<std::int32_t> result = EnsureTopics(fresh, In(seconds(30)));
    ASSERT_TRUE(absl::IsFailedPrecondition(result.status())) << result.status();
    const std::string text(result.status().message());
    for (const std::string& word : {TopicName(fresh, topic), name, found, wanted}) {
      EXPECT_NE(text.find(word), std::string::npos) << "'" << word << "' in: " << text;
    }
  };
  expect_refused("policy.", kTurns, "cleanup.policy", "compact", "delete");
  expect_refused("size.", kReplies, "max.message.bytes", "1048588", "at least 4194304");
  expect_refused("time.", kParked, "message.timestamp.type", "CreateTime", "LogAppendTime");
  expect_refused("retention.", kDeadLetter, "retention.ms", "86400000", "at least 2592000000");
}

TEST_F(BusTest, UnequalPartitionCountsAreRefused) {
  BusOptions fresh = options_;
  fresh.topic_prefix += "unequal.";
  CreateTopic(fresh, kTurns, 3, {});
  CreateTopic(fresh, kReplies, 5, {});
  const absl::StatusOr<std::int32_t> result = EnsureTopics(fresh, In(seconds(30)));
  ASSERT_TRUE(absl::IsFailedPrecondition(result.status())) << result.status();
  const std::string text(result.status().message());
  for (const char* word : {"unequal.turns", "unequal.replies", "partitions is 5, wanted 3"}) {
    EXPECT_NE(text.find(word), std::string::npos) << text;
  }
}

TEST_F(BusTest, AReplicationFactorThatTheClusterCannotGiveIsRefusedAtOnce) {
  BusOptions fresh = options_;
  fresh.topic_prefix += "copies.";
  fresh.replication_factor = 3;
  const base::MonotonicTime start = base::Clock::Real().Now();
  const absl::StatusOr<std::int32_t> result = EnsureTopics(fresh, In(seconds(30)));
  EXPECT_TRUE(absl::IsFailedPrecondition(result.status())) << result.status();
  EXPECT_LT(base::Clock::Real().Now() - start, seconds(10));
}

TEST_F(BusTest, NoBrokerIsUnavailableAtTheDeadline) {
  BusOptions nobody = options_;
  nobody.brokers = "127.0.0.1:1";
  const base::MonotonicTime start = base::Clock::Real().Now();
  const absl::StatusOr<std::int32_t> result = EnsureTopics(nobody, In(seconds(1)));
  EXPECT_TRUE(absl::IsUnavailable(result.status())) << result.status();
  EXPECT_NE(std::string(result.status().message()).find("127.0.0.1:1"), std::string::npos);
  EXPECT_LT(base::Clock::Real().Now() - start, seconds(4));
}

TEST_F(BusTest, ExtraConfigIsCheckedBeforeAnythingStarts) {
  const auto status_with = [this](const std::string& extra_config) {
    BusOptions options = options_;
    options.extra_config = extra_config;
    return Producer::Create(options, {}, "test", metrics_).status();
  };
  EXPECT_TRUE(status_with("socket.timeout.ms=5000,client.rack=a").ok());
  for (const auto& [extra_config, word] :
       std::vector<std::pair<std::string, std::string>>{{"acks=1", "acks"},
                                                        {"enable.idempotence=false", "enable.idempotence"},
                                                        {"no.such.setting=1", "no.such.setting"},
                                                        {"socket.timeout.ms", "socket.timeout.ms"},
                                                        {"sasl.password.location=/no/such/file", "/no/such/file"}}) {
    const absl::Status status = status_with(extra_config);
    EXPECT_FALSE(status.ok());
    EXPECT_NE(std::string(status.message()).find(word), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace bus
