// Reading partitions outside a group, as the sender reads its ledger.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "libs/bus/log_reader.h"
#include "tests/integration/bus/bus_fixture.h"
#include "tests/integration/harness/wait.h"

namespace bus {
namespace {

using harness::WaitUntil;
using std::chrono::seconds;

// What a reader hands over, kept for the test.
class Collected {
 public:
  void Add(Record record) {
    std::lock_guard lock(mutex_);
    records_.push_back(std::move(record));
  }
  std::vector<Record> records() const {
    std::lock_guard lock(mutex_);
    return records_;
  }
  std::size_t size() const { return records().size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<Record> records_;
};

TEST_F(BusTest, LogReaderFollowsAPartitionFromAnOffset) {
  const auto producer = NewProducer();
  ProduceSpread(*producer, topic_, 40);
  Collected collected;
  auto reader = LogReader::Create(options_, "test", [&](Record record) { collected.Add(std::move(record)); });
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto marks = (*reader)->QueryWatermarks({topic_, 2}, In(seconds(10)));
  ASSERT_TRUE(marks.ok()) << marks.status();
  EXPECT_EQ(marks->low, 0);
  EXPECT_EQ(marks->high, 10);

  (*reader)->Add({topic_, 2}, LogReader::kFromBeginning);
  (*reader)->Add({topic_, 3}, 7);
  ASSERT_TRUE(WaitUntil([&] { return collected.size() == 13; }));
  ProduceSpread(*producer, topic_, 4, /*first=*/40);
  ASSERT_TRUE(WaitUntil([&] { return collected.size() == 15; }));
  std::int64_t next_of_2 = 0;
  std::int64_t next_of_3 = 7;
  for (const Record& record : collected.records()) {
    ASSERT_TRUE(record.partition == 2 || record.partition == 3);
    EXPECT_EQ(record.offset, record.partition == 2 ? next_of_2++ : next_of_3++);
  }
}

TEST_F(BusTest, LogReaderStopsAndStartsAnew) {
  const auto producer = NewProducer();
  ProduceSpread(*producer, topic_, 40);
  Collected collected;
  auto reader = LogReader::Create(options_, "test", [&](Record record) { collected.Add(std::move(record)); });
  ASSERT_TRUE(reader.ok()) << reader.status();
  (*reader)->Add({topic_, 0}, LogReader::kFromBeginning);
  ASSERT_TRUE(WaitUntil([&] { return collected.size() == 10; }));
  (*reader)->Remove({topic_, 0});
  (*reader)->Add({topic_, 1}, LogReader::kFromBeginning);
  ASSERT_TRUE(WaitUntil([&] { return collected.size() == 20; }));
  ProduceSpread(*producer, topic_, 4, /*first=*/40);
  ASSERT_TRUE(WaitUntil([&] { return collected.size() == 21; }));
  EXPECT_EQ(collected.records().back().partition, 1);
  (*reader)->Add({topic_, 0}, 10);  // the one record written meanwhile
  ASSERT_TRUE(WaitUntil([&] { return collected.size() == 22; }));
  EXPECT_EQ(collected.records().back().partition, 0);
  EXPECT_EQ(collected.records().back().offset, 10);
}

TEST_F(BusTest, WatermarksOfAnUnknownTopicAreNotFound) {
  auto reader = LogReader::Create(options_, "test", [](const Record&) {});
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto marks = (*reader)->QueryWatermarks({"no-such-topic", 0}, In(seconds(5)));
  EXPECT_FALSE(marks.ok());
}

TEST_F(BusTest, ReadThroughEndsAtTheEndOfTheLog) {
  const auto producer = NewProducer();
  ProduceSpread(*producer, topic_, 1000);
  std::vector<TopicPartition> partitions;
  for (std::int32_t i = 0; i < kPartitions; ++i) partitions.push_back({topic_, i});
  partitions.push_back({TopicName(options_, kAudit), 0});  // empty
  int count = 0;
  const auto count_all = [&count](const Record&) { return ++count < 100'000; };
  const absl::Status all = ReadThrough(options_, "test", partitions, count_all, In(seconds(20)));
  EXPECT_TRUE(all.ok()) << all;
  EXPECT_EQ(count, 1000);

  count = 0;
  const absl::Status some = ReadThrough(
      options_, "test", partitions, [&count](const Record&) { return ++count < 10; }, In(seconds(20)));
  EXPECT_TRUE(some.ok()) << some;
  EXPECT_EQ(count, 10);
}

}  // namespace
}  // namespace bus
