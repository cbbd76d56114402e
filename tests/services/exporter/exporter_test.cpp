#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "libs/account/reload_failures.h"
#include "services/exporter/account_metrics.h"
#include "services/exporter/config.h"
#include "services/exporter/metrics.h"
#include "services/exporter/nvml.h"
#include "services/exporter/queue_age.h"
#include "services/exporter/redis_info.h"

namespace exporter {
namespace {

using std::chrono::seconds;

TEST(QueueAgeTest, NothingWaitsNothingAges) {
  QueueAge age;
  EXPECT_EQ(age.Oldest({}), base::Duration::zero());
  age.Look(0, base::MonotonicTime(seconds(10)), /*position=*/5, /*end=*/5);
  EXPECT_EQ(age.Oldest(base::MonotonicTime(seconds(100))), base::Duration::zero());
}

TEST(QueueAgeTest, AgeCountsFromTheLastLookAtWhichTheRecordWasNotThere) {
  QueueAge age;
  age.Look(0, base::MonotonicTime(seconds(0)), 5, 5);
  age.Look(0, base::MonotonicTime(seconds(10)), 5, 5);
  age.Look(0, base::MonotonicTime(seconds(20)), 5, 8);  // written between 10 and 20
  age.Look(0, base::MonotonicTime(seconds(30)), 5, 9);
  EXPECT_EQ(age.Oldest(base::MonotonicTime(seconds(30))), seconds(20));
}

TEST(QueueAgeTest, ProgressMakesTheAgeThatOfTheNextRecord) {
  QueueAge age;
  age.Look(0, base::MonotonicTime(seconds(0)), 0, 0);
  age.Look(0, base::MonotonicTime(seconds(10)), 0, 4);
  age.Look(0, base::MonotonicTime(seconds(20)), 0, 6);
  age.Look(0, base::MonotonicTime(seconds(30)), 4, 6);  // what came in the first ten seconds is done
  EXPECT_EQ(age.Oldest(base::MonotonicTime(seconds(30))), seconds(20));
  age.Look(0, base::MonotonicTime(seconds(40)), 6, 6);
  EXPECT_EQ(age.Oldest(base::MonotonicTime(seconds(40))), base::Duration::zero());
}

TEST(QueueAgeTest, TheWorstPartitionCounts) {
  QueueAge age;
  for (const std::int32_t partition : {0, 1}) age.Look(partition, base::MonotonicTime(seconds(0)), 0, 0);
  age.Look(0, base::MonotonicTime(seconds(10)), 0, 1);
  age.Look(1, base::MonotonicTime(seconds(10)), 0, 0);
  age.Look(0, base::MonotonicTime(seconds(20)), 1, 1);
  age.Look(1, base::MonotonicTime(seconds(20)), 0, 1);
  EXPECT_EQ(age.Oldest(base::MonotonicTime(seconds(20))), seconds(10));
}

TEST(QueueAgeTest, ALongWaitKeepsGrowingWithinBoundedMemory) {
  QueueAge age;
  const int looks = 3 * static_cast<int>(QueueAge::kLooksMax);
  for (int look = 0; look < looks; ++look) age.Look(0, base::MonotonicTime(seconds(look)), 0, look + 1);
  EXPECT_EQ(age.Oldest(base::MonotonicTime(seconds(looks))), seconds(looks));
}

TEST(QueueAgeTest, ATopicMadeAnewStartsOver) {
  QueueAge age;
  age.Look(0, base::MonotonicTime(seconds(0)), 0, 100);
  age.Look(0, base::MonotonicTime(seconds(10)), 0, 1);
  EXPECT_EQ(age.Oldest(base::MonotonicTime(seconds(15))), seconds(5));
}

TEST(RedisInfoTest, ReadsWhatItKnowsAndIgnoresTheRest) {
  const RedisInfo info = ParseRedisInfo(
      "# Server\r\nredis_version:7.0.15\r\n\r\n# Clients\r\nconnected_clients:7\r\n# Memory\r\nused_memory:1048576\r\n"
      "used_memory_human:1.00M\r\nmaxmemory:0\r\nevicted_keys:3\r\naof_enabled:1\r\naof_last_bgrewrite_status:ok\r\n"
      "aof_last_write_status:ok\r\nlast line without an end");
  EXPECT_EQ(info.connected_clients, 7);
  EXPECT_EQ(info.used_memory_bytes, 1048576);
  EXPECT_EQ(info.evicted_keys, 3);
  EXPECT_TRUE(info.aof_enabled);
  EXPECT_TRUE(info.aof_ok);
}

TEST(RedisInfoTest, AofIsOkOnlyWhenItIsOnAndBothLastResultsAre) {
  EXPECT_FALSE(ParseRedisInfo("aof_enabled:1\naof_last_bgrewrite_status:ok\naof_last_write_status:err\n").aof_ok);
  EXPECT_FALSE(ParseRedisInfo("aof_enabled:0\naof_last_bgrewrite_status:ok\naof_last_write_status:ok\n").aof_ok);
  EXPECT_FALSE(ParseRedisInfo("").aof_ok);
  EXPECT_EQ(ParseRedisInfo("used_memory:12x\n").used_memory_bytes, 0);
}

TEST(GroupsTest, AreGroupColonTopic) {
  const auto groups = ParseGroups({"worker:turns", "sender:replies"});
  ASSERT_TRUE(groups.ok());
  EXPECT_EQ(groups->at(1).group, "sender");
  EXPECT_EQ(groups->at(1).topic, "replies");
  for (const char* wrong : {"worker", ":turns", "worker:", ""}) EXPECT_FALSE(ParseGroups({wrong}).ok()) << wrong;
  EXPECT_FALSE(ParseGroups(std::vector<std::string>(65, "a:b")).ok());
}

TEST(NvmlTest, AMissingOrAnotherLibraryIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(Nvml::Open("libthere-is-none.so").status()));
  EXPECT_TRUE(absl::IsNotFound(Nvml::Open("libm.so.6").status())) << "opens, but has none of the functions";
}

TEST(MetricsTest, NamesAreThoseOfTheGoldenList) {
  telemetry::Registry registry;
  const Metrics metrics(registry, {{"worker", "turns"}});
  metrics.SetGpu(0, {.utilization_ratio = 0.5, .memory_used_bytes = 1, .memory_total_bytes = 2});
  AccountMetrics accounts(registry, seconds(600));
  for (int figure = 0; figure < static_cast<int>(AccountFigure::kCount); ++figure) {
    accounts.Set({}, static_cast<AccountFigure>(figure), 1);
  }
  accounts.CountRepair({}, true);
  account::ExportReloadFailures(nullptr, "exporter", registry);  // nothing is exported here, so the file is not asked
  std::ifstream file("tests/golden/metrics/exporter.txt");       // tests run in the repository's root
  ASSERT_TRUE(file) << "tests/golden/metrics/exporter.txt is missing";
  std::vector<std::string> wanted;
  for (std::string line; std::getline(file, line);) wanted.push_back(line);
  EXPECT_EQ(registry.MetricNames(), wanted);
}

}  // namespace
}  // namespace exporter
