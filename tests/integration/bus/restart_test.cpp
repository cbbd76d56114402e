// What is finished before a restart is not handed over again, in whatever order it was finished; what is not, is.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "libs/bus/offset_tracker.h"
#include "tests/integration/bus/bus_fixture.h"
#include "tests/integration/harness/wait.h"

namespace bus {
namespace {

using harness::WaitUntil;

std::multiset<std::string> Set(const std::vector<std::string>& values) { return {values.begin(), values.end()}; }

TEST_F(BusTest, FinishedRecordsBeyondTheWatermarkAreNotHandedOverAgain) {
  const auto producer = NewProducer();
  ProduceNumbers(*producer, topic_, "one conversation", 100);
  std::multiset<std::string> unfinished;
  {
    Member before(options_, GroupOf("restart", topic_),
                  [](const Record& record) { return std::stoi(record.value) % 3 != 0; });
    before.consumer().Start();
    ASSERT_TRUE(WaitUntil([&] { return before.record_count() == 100; }));
    for (int i = 0; i < 100; i += 3) unfinished.insert(std::to_string(i));
    const absl::Status committed = before.consumer().CommitNow(In(std::chrono::seconds(10)));
    ASSERT_TRUE(committed.ok()) << committed;
  }
  Member after(options_, GroupOf("restart", topic_), FinishNone);
  after.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return after.record_count() >= unfinished.size(); }));
  // A record behind all others shows that nothing more was on its way.
  ProduceNumbers(*producer, topic_, "one conversation", 1, /*first=*/100);
  unfinished.insert("100");
  ASSERT_TRUE(WaitUntil([&] { return after.record_count() >= unfinished.size(); }));
  EXPECT_EQ(Set(after.values()), unfinished);
}

// Goal: a note stands once it is called durable, although the commit interval is long and the member ends without a
// last commit that would hold it; and it comes at once.
TEST_F(BusTest, ANoteThatIsDurableIsFoundByTheNextMember) {
  const auto producer = NewProducer();
  ProduceNumbers(*producer, topic_, "one conversation", 3);
  ConsumerOptions rarely = GroupOf("notes", topic_);
  rarely.commit_interval = std::chrono::hours(1);
  std::map<std::string, std::uint32_t> found;
  {
    Member before(options_, rarely, FinishNone);
    before.consumer().Start();
    ASSERT_TRUE(WaitUntil([&] { return before.record_count() == 3; }));
    const Record record = before.records().at(1);
    std::atomic<int> durable = 0;
    const auto began = std::chrono::steady_clock::now();
    before.consumer().Note({record.topic, record.partition}, record.offset, 77,
                           [&](bool ok) { durable = ok ? 1 : -1; });
    ASSERT_TRUE(WaitUntil([&] { return durable != 0; }));
    EXPECT_EQ(durable, 1);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(2));
    before.MarkDone(before.records().at(0));
  }
  Member after(options_, rarely, FinishNone);
  after.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return after.record_count() == 2; }));
  for (const Record& record : after.records()) found[record.value] = record.note;
  EXPECT_EQ(found, (std::map<std::string, std::uint32_t>{{"1", 77}, {"2", 0}}));
}

TEST_F(BusTest, StoppingCommitsWhatWasMarkedDone) {
  const auto producer = NewProducer();
  ProduceSpread(*producer, topic_, 40);
  ConsumerOptions rarely = GroupOf("stop", topic_);
  rarely.commit_interval = std::chrono::hours(1);
  {
    Member before(options_, rarely, FinishAll);
    before.consumer().Start();
    ASSERT_TRUE(WaitUntil([&] { return before.record_count() == 40; }));
  }
  Member after(options_, rarely, FinishAll);
  after.consumer().Start();
  ProduceSpread(*producer, topic_, kPartitions, /*first=*/40);
  ASSERT_TRUE(WaitUntil([&] { return after.record_count() >= kPartitions; }));
  EXPECT_EQ(Set(after.values()), (std::multiset<std::string>{"40", "41", "42", "43"}));
}

// Goal: the map is in the commit itself, where any later member finds it.
// Method: the handler's view of the metadata is decoded by a tracker of the test.
TEST_F(BusTest, TheCommitsMetadataIsTheFinishedMap) {
  const auto producer = NewProducer();
  const std::vector<RecordPosition> positions = ProduceNumbers(*producer, topic_, "key", 10);
  const TopicPartition partition{topic_, positions[0].partition};
  {
    Member before(options_, GroupOf("metadata", topic_), [](const Record& record) { return record.value == "7"; });
    before.consumer().Start();
    ASSERT_TRUE(WaitUntil([&] { return before.record_count() == 10; }));
  }
  Member after(options_, GroupOf("metadata", topic_), FinishNone);
  after.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return after.assigned_count() == kPartitions; }));
  OffsetTracker tracker(0, after.MetadataAt(partition));
  ASSERT_TRUE(tracker.decoded_ok());
  for (std::int64_t offset = 0; offset < 10; ++offset) EXPECT_EQ(tracker.Begin(offset), offset != 7) << offset;
}

// Goal: the largest map we ever write is one the broker takes.
TEST_F(BusTest, AWideWindowOfAlternatingWorkStillCommits) {
  const auto producer = NewProducer({.queue_records_max = 50'000});
  ProduceNumbers(*producer, topic_, "key", 20'000);
  {
    Member before(options_, GroupOf("wide", topic_),
                  [](const Record& record) { return std::stoi(record.value) % 2 == 1; });
    before.consumer().Start();
    ASSERT_TRUE(WaitUntil([&] { return before.record_count() == 20'000; }));
    const absl::Status committed = before.consumer().CommitNow(In(std::chrono::seconds(10)));
    ASSERT_TRUE(committed.ok()) << committed;
  }
  Member after(options_, GroupOf("wide", topic_), FinishNone);
  after.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] {
    const std::vector<std::string> values = after.values();
    return !values.empty() && values.back() == "19999";
  }));
  const std::vector<std::string> values = after.values();
  EXPECT_GE(values.size(), 10'000u);
  EXPECT_LE(values.size(), 11'000u);  // 18,000 offsets fit in the map; beyond it finished work comes back
  for (std::size_t i = 0; i < 9'000; ++i) ASSERT_EQ(values[i], std::to_string(2 * i));
}

TEST_F(BusTest, CommitNowSaysWhenTheConsumerDoesNotRun) {
  Member member(options_, GroupOf("idle", topic_), FinishAll);
  EXPECT_TRUE(absl::IsFailedPrecondition(member.consumer().CommitNow(In(std::chrono::seconds(5)))));
  EXPECT_FALSE(member.consumer().polling());
  member.consumer().Start();
  EXPECT_TRUE(WaitUntil([&] { return member.consumer().polling(); }));
  EXPECT_TRUE(member.consumer().CommitNow(In(std::chrono::seconds(5))).ok());
  EXPECT_TRUE(WaitUntil([&] { return member.consumer().broker_status().ok(); }));
  member.Stop();
  EXPECT_FALSE(member.consumer().polling());
  EXPECT_TRUE(absl::IsFailedPrecondition(member.consumer().CommitNow(In(std::chrono::seconds(5)))));
}

// Goal: no moment of the first join at which stopping ends the process.
// Method: members stop after waits that step through a join's few milliseconds; each finds a group of its own.
TEST_F(BusTest, AMemberMayStopAtAnyMomentOfItsFirstJoin) {
  for (int step = 0; step < 25; ++step) {
    Member member(options_, GroupOf("stop-at-" + std::to_string(step), topic_), FinishAll);
    const base::MonotonicTime stop_at = In(std::chrono::milliseconds(2 * step));
    member.consumer().Start();
    std::this_thread::sleep_until(stop_at);
    const base::MonotonicTime stopping = base::Clock::Real().Now();
    member.Stop();
    EXPECT_LT(base::Clock::Real().Now() - stopping, std::chrono::seconds(8));
  }
}

}  // namespace
}  // namespace bus
