// The exporter's look at a real Kafka broker and a real Redis.
#include "services/exporter/collector.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>

#include "libs/bus/producer.h"
#include "libs/bus/topics.h"
#include "tests/integration/harness/kafka_broker.h"
#include "tests/integration/harness/redis_server.h"
#include "tests/integration/harness/wait.h"

namespace exporter {
namespace {

using std::chrono::seconds;

TEST(CollectorTest, SeesLagDeadLettersAndRedisAndOutlivesTheirOutage) {
  std::signal(SIGPIPE, SIG_IGN);  // hiredis writes with write(2)
  auto broker = harness::KafkaBroker::StartNew();
  ASSERT_TRUE(broker.ok()) << broker.status();
  auto redis_server = harness::RedisServer::StartNew();
  ASSERT_TRUE(redis_server.ok()) << redis_server.status();
  Options options;
  options.bus.brokers = (*broker)->address();
  options.bus.partitions = 2;
  options.redis.port = (*redis_server)->port();
  options.nvml_library = "libthere-is-none.so";

  telemetry::Registry registry;
  const std::vector<GroupAndTopic> groups = {{"worker", "turns"}};
  const Metrics metrics(registry, groups);
  Collector collector(options, groups, &metrics);
  EXPECT_FALSE(collector.Look().ok()) << "the topics are not there yet";
  EXPECT_EQ(metrics.sources.at("kafka").up.Value(), 0);
  EXPECT_EQ(metrics.sources.at("redis").up.Value(), 1);
  EXPECT_GT(metrics.redis.memory_bytes.Value(), 0);
  EXPECT_EQ(metrics.redis.aof_ok.Value(), 1);

  ASSERT_TRUE(bus::EnsureTopics(options.bus, base::Clock::Real().Now() + seconds(20)).ok());
  auto producer = bus::Producer::Create(options.bus, {}, "test", registry);
  ASSERT_TRUE(producer.ok());
  const auto produce = [&](std::string_view topic, const std::string& key) {
    bus::OutgoingRecord record;
    record.topic = bus::TopicName(options.bus, topic);
    record.key = key;
    record.value = "x";
    const auto written = (*producer)->ProduceAndWait(std::move(record));
    ASSERT_TRUE(written.ok()) << written.status();
  };
  for (const char* key : {"a", "b", "c", "d", "e"}) produce(bus::kTurns, key);
  produce(bus::kDeadLetter, "a");
  ASSERT_TRUE(collector.Look().ok());
  EXPECT_EQ(metrics.groups_by_index[0].lag.Value(), 5);
  EXPECT_GE(metrics.groups_by_index[0].lag_partition_max.Value(), 3) << "five on two partitions";
  EXPECT_EQ(metrics.dead_letters.Value(), 1);
  EXPECT_EQ(metrics.parked.Value(), 0);
  const auto older = [&] { return collector.Look().ok() && metrics.groups_by_index[0].age_seconds.Value() > 0; };
  EXPECT_TRUE(harness::WaitUntil(older)) << "what waits gets older";

  (*redis_server)->Kill();
  EXPECT_FALSE(collector.Look().ok()) << "readiness says degraded";
  EXPECT_EQ(metrics.sources.at("kafka").up.Value(), 1) << "Kafka is looked at all the same";
  EXPECT_EQ(metrics.sources.at("redis").up.Value(), 0);
  ASSERT_TRUE((*redis_server)->Start().ok());
  ASSERT_TRUE(collector.Look().ok());
  EXPECT_EQ(metrics.sources.at("redis").up.Value(), 1) << "recovery without a restart";
}

}  // namespace
}  // namespace exporter
