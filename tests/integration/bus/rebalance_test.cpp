// Partitions move between members without losing a record, and without handing finished ones over again.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/bus/bus_fixture.h"
#include "tests/integration/harness/wait.h"

namespace bus {
namespace {

using harness::WaitUntil;

// How often each value was handed over, over all members.
std::map<std::string, int> CountAll(const std::vector<Member*>& members) {
  std::map<std::string, int> counts;
  for (const Member* member : members) {
    for (const std::string& value : member->values()) ++counts[value];
  }
  return counts;
}

TEST_F(BusTest, AMemberThatJoinsAndLeavesUnderLoadLosesNothing) {
  const auto producer = NewProducer();
  std::atomic<bool> stop{false};
  std::mutex acknowledged_mutex;
  std::set<std::string> acknowledged;
  std::thread load([&] {
    for (int i = 0; !stop && i < 20'000; ++i) {
      const std::string number = std::to_string(i);
      producer->Produce({.topic = topic_, .partition = i % kPartitions, .key = number, .value = number, .headers = {}},
                        [&, number](absl::StatusOr<RecordPosition> position) {
                          if (!position.ok()) return;  // a loaded machine may miss the delivery timeout
                          std::lock_guard lock(acknowledged_mutex);
                          acknowledged.insert(number);
                        });
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
  });
  Member first(options_, GroupOf("rebalance", topic_), FinishAll);
  first.consumer().Start();
  EXPECT_TRUE(WaitUntil([&] { return first.assigned_count() == kPartitions && first.record_count() > 100; }));
  Member second(options_, GroupOf("rebalance", topic_), FinishAll);
  second.consumer().Start();
  EXPECT_TRUE(WaitUntil([&] { return second.assigned_count() == kPartitions / 2 && second.record_count() > 100; }));
  EXPECT_TRUE(WaitUntil([&] { return first.assigned_count() == kPartitions / 2; }));
  second.Stop();
  EXPECT_TRUE(WaitUntil([&] { return first.assigned_count() == kPartitions; }));
  stop = true;
  load.join();
  ASSERT_TRUE(producer->Flush(In(std::chrono::seconds(20))).ok());

  EXPECT_GT(acknowledged.size(), 200u);
  const auto all_there = [&] {
    const std::map<std::string, int> counts = CountAll({&first, &second});
    return std::all_of(acknowledged.begin(), acknowledged.end(),
                       [&counts](const std::string& number) { return counts.contains(number); });
  };
  ASSERT_TRUE(WaitUntil(all_there)) << acknowledged.size() << " acknowledged";
  // Everything was marked done when it was handed over, and each revocation commits, so nothing comes twice.
  for (const auto& [value, count] : CountAll({&first, &second})) EXPECT_EQ(count, 1) << value;
  EXPECT_EQ(first.lost_count() + second.lost_count(), 0);
}

TEST_F(BusTest, UnfinishedRecordsOfAMemberThatLeavesGoToTheOthers) {
  const auto producer = NewProducer();
  ProduceSpread(*producer, topic_, 80);
  auto leaver = std::make_unique<Member>(options_, GroupOf("handover", topic_),
                                         [](const Record& record) { return std::stoi(record.value) >= 40; });
  leaver->consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return leaver->record_count() == 80; }));
  leaver.reset();
  Member heir(options_, GroupOf("handover", topic_), FinishAll);
  heir.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return heir.record_count() >= 40; }));
  ProduceSpread(*producer, topic_, kPartitions, /*first=*/80);
  ASSERT_TRUE(WaitUntil([&] { return heir.record_count() >= 40 + kPartitions; }));
  const std::map<std::string, int> counts = CountAll({&heir});
  for (int i = 0; i < 40; ++i) EXPECT_EQ(counts.count(std::to_string(i)), 1u) << i;
  EXPECT_EQ(heir.record_count(), 40u + kPartitions);
}

TEST_F(BusTest, MarkDoneForAPartitionOfAnotherMemberIsIgnored) {
  const auto producer = NewProducer();
  ProduceSpread(*producer, topic_, 40);
  Member first(options_, GroupOf("foreign", topic_), FinishNone);
  first.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return first.record_count() == 40; }));
  Member second(options_, GroupOf("foreign", topic_), FinishNone);
  second.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return second.record_count() == 20; }));
  for (const Record& record : first.records()) first.MarkDone(record);
  ASSERT_TRUE(first.consumer().CommitNow(In(std::chrono::seconds(10))).ok());
  first.Stop();
  // What the second member took over is still unfinished; the first's own half is not handed over again.
  ProduceSpread(*producer, topic_, kPartitions, /*first=*/40);
  ASSERT_TRUE(WaitUntil([&] { return second.record_count() >= 20 + kPartitions; }));
  EXPECT_EQ(second.record_count(), 20u + kPartitions);
}

TEST_F(BusTest, AStaticMemberComesBackToItsPartitionsWithoutARebalanceOfTheOthers) {
  ConsumerOptions first_options = GroupOf("static", topic_);
  first_options.static_member_id = "worker-0";
  ConsumerOptions second_options = GroupOf("static", topic_);
  second_options.static_member_id = "worker-1";
  auto first = std::make_unique<Member>(options_, first_options, FinishAll);
  Member second(options_, second_options, FinishAll);
  first->consumer().Start();
  second.consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return first->assigned_count() == 2 && second.assigned_count() == 2; }));
  const std::vector<TopicPartition> held = first->consumer().assignment();
  first.reset();
  first = std::make_unique<Member>(options_, first_options, FinishAll);
  first->consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return first->assigned_count() == 2; }));
  EXPECT_EQ(first->consumer().assignment(), held);
  EXPECT_EQ(second.assigned_count(), 2u);
}

}  // namespace
}  // namespace bus
