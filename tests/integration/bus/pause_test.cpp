// Pausing and resuming under load neither loses nor repeats a record: the traps are records that were fetched and not
// handed over when the pause came.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/bus/bus_fixture.h"
#include "tests/integration/harness/wait.h"

namespace bus {
namespace {

using harness::WaitUntil;

void ExpectEachOnceInOrder(const Member& member, std::size_t count) {
  ASSERT_EQ(member.record_count(), count);
  std::map<std::int32_t, std::int64_t> next;
  for (const Record& record : member.records()) {
    ASSERT_EQ(record.offset, next[record.partition]++) << "partition " << record.partition;
  }
}

TEST_F(BusTest, PauseAndResumeUnderLoadHandEachRecordOverOnceAndInOrder) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 rng(seed);
  const auto producer = NewProducer({.queue_records_max = 50'000});
  constexpr int kRecords = 6'000;
  // The handler itself pauses now and then, as one does whose window is full.
  std::atomic<Consumer*> consumer{nullptr};
  std::atomic<int> handed{0};
  Member member(options_, GroupOf("pause", topic_), [&](const Record& record) {
    if (++handed % 97 == 0) consumer.load()->Pause({record.topic, record.partition});
    return true;
  });
  consumer = &member.consumer();
  member.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return member.assigned_count() == kPartitions; }));
  std::thread load([&] { ProduceSpread(*producer, topic_, kRecords); });
  const base::MonotonicTime deadline = In(std::chrono::seconds(40));
  while (member.record_count() < kRecords && base::Clock::Real().Now() < deadline) {
    const TopicPartition partition{topic_, static_cast<std::int32_t>(rng() % kPartitions)};
    if (rng() % 4 == 0) member.consumer().Pause(partition);
    member.consumer().Resume({topic_, static_cast<std::int32_t>(rng() % kPartitions)});
    std::this_thread::sleep_for(std::chrono::microseconds(rng() % 2000));
  }
  load.join();
  for (int i = 0; i < kPartitions; ++i) member.consumer().Resume({topic_, i});
  ASSERT_TRUE(WaitUntil([&] { return member.record_count() >= kRecords; })) << member.record_count();
  ExpectEachOnceInOrder(member, kRecords);
}

TEST_F(BusTest, APausedPartitionRestsWhileTheOthersGoOn) {
  const auto producer = NewProducer();
  Member member(options_, GroupOf("rest", topic_), FinishAll);
  member.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return member.assigned_count() == kPartitions; }));
  member.consumer().Pause({topic_, 1});
  member.consumer().Pause({topic_, 1});
  ASSERT_TRUE(member.consumer().CommitNow(In(std::chrono::seconds(5))).ok());  // the poll thread has turned since
  ProduceSpread(*producer, topic_, 400);
  ASSERT_TRUE(WaitUntil([&] { return member.record_count() == 300; }));
  for (const Record& record : member.records()) EXPECT_NE(record.partition, 1);
  member.consumer().Resume({topic_, 1});
  ASSERT_TRUE(WaitUntil([&] { return member.record_count() == 400; }));
  ExpectEachOnceInOrder(member, 400);
}

// Goal: a pause that comes with the assignment, before the first record, must not move the position past records
// that were fetched meanwhile.
TEST_F(BusTest, PausedOnAssignmentAndResumedReadsFromTheFirstRecord) {
  const auto producer = NewProducer();
  ProduceSpread(*producer, topic_, 400);
  Member member(options_, GroupOf("assigned-paused", topic_), FinishAll);
  std::atomic<int> assigned{0};
  member.on_assigned = [&](const TopicPartition& partition) {
    member.consumer().Pause(partition);
    ++assigned;
  };
  member.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return assigned == kPartitions; }));
  ASSERT_TRUE(member.consumer().CommitNow(In(std::chrono::seconds(5))).ok());
  for (int i = 0; i < kPartitions; ++i) member.consumer().Resume({topic_, i});
  ASSERT_TRUE(WaitUntil([&] { return member.record_count() == 400; })) << member.record_count();
  ExpectEachOnceInOrder(member, 400);
}

TEST_F(BusTest, APauseDoesNotOutliveTheOwnership) {
  const auto producer = NewProducer();
  Member first(options_, GroupOf("pause-moves", topic_), FinishAll);
  first.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return first.assigned_count() == kPartitions; }));
  for (int i = 0; i < kPartitions; ++i) first.consumer().Pause({topic_, i});
  {
    Member second(options_, GroupOf("pause-moves", topic_), FinishAll);
    second.consumer().Start();
    ASSERT_TRUE(WaitUntil([&] { return second.assigned_count() == 2; }));
    ProduceSpread(*producer, topic_, 40);
    ASSERT_TRUE(WaitUntil([&] { return second.record_count() == 20; })) << "the second member pauses nothing";
  }
  // Two partitions come back to the first member, not paused; its own two still are.
  ASSERT_TRUE(WaitUntil([&] { return first.assigned_count() == kPartitions; }));
  ProduceSpread(*producer, topic_, 40, /*first=*/40);
  ASSERT_TRUE(WaitUntil([&] { return first.record_count() == 20; })) << first.record_count();
  for (int i = 0; i < kPartitions; ++i) first.consumer().Resume({topic_, i});
  ASSERT_TRUE(WaitUntil([&] { return first.record_count() == 60; })) << first.record_count();
}

}  // namespace
}  // namespace bus
