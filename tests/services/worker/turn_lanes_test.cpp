#include "services/worker/turn_lanes.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace worker {
namespace {

const bus::TopicPartition kPartition{"mesh.turns", 0};

std::shared_ptr<TurnTask> Task(const std::string& conversation, std::int64_t offset, std::int32_t partition = 0) {
  auto task = std::make_shared<TurnTask>();
  task->record.topic = "mesh.turns";
  task->record.partition = partition;
  task->record.offset = offset;
  task->record.key = conversation;
  return task;
}

TEST(TurnLanesTest, RunsOneTurnOfAConversationAtATimeInLogOrder) {
  TurnLanes lanes;
  lanes.Push(Task("anna", 0));
  lanes.Push(Task("anna", 1));

  const auto first = lanes.StartNext();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->record.offset, 0);
  EXPECT_EQ(lanes.StartNext(), nullptr);

  lanes.Finish(*first);
  const auto second = lanes.StartNext();
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->record.offset, 1);
}

TEST(TurnLanesTest, RunsDifferentConversationsSideBySide) {
  TurnLanes lanes;
  lanes.Push(Task("anna", 0));
  lanes.Push(Task("ben", 1));
  EXPECT_NE(lanes.StartNext(), nullptr);
  EXPECT_NE(lanes.StartNext(), nullptr);
  EXPECT_EQ(lanes.running_count(), 2u);
}

TEST(TurnLanesTest, AFloodOfOneConversationDoesNotDelayAnother) {
  TurnLanes lanes;
  for (int offset = 0; offset < 50; ++offset) lanes.Push(Task("flood", offset));
  lanes.Push(Task("quiet", 50));
  const auto flood = lanes.StartNext();
  const auto quiet = lanes.StartNext();
  EXPECT_EQ(flood->record.key, "flood");
  EXPECT_EQ(quiet->record.key, "quiet");
}

TEST(TurnLanesTest, ARevokedPartitionKeepsOnlyWhatRuns) {
  TurnLanes lanes;
  lanes.Push(Task("anna", 0));
  lanes.Push(Task("anna", 1));
  lanes.Push(Task("ben", 2));
  lanes.Push(Task("cleo", 7, /*partition=*/1));
  const auto running = lanes.StartNext();

  lanes.DropWaiting(kPartition);

  EXPECT_EQ(lanes.InWindow(kPartition), 1u);
  EXPECT_EQ(lanes.waiting_count(), 1u);
  EXPECT_EQ(lanes.StartNext()->record.key, "cleo");
  lanes.Finish(*running);
  EXPECT_EQ(lanes.InWindow(kPartition), 0u);
  EXPECT_EQ(lanes.StartNext(), nullptr);
}

TEST(TurnLanesTest, ALaneStartsNothingBeforeWhatWasTakenOutOfItHasEnded) {
  TurnLanes lanes;
  lanes.Push(Task("anna", 0));
  lanes.Push(Task("anna", 1));
  const auto dropped = lanes.TakeOut("anna", 0);
  ASSERT_NE(dropped, nullptr);
  EXPECT_EQ(lanes.TakeOut("anna", 0), nullptr) << "it does not wait any more";
  EXPECT_EQ(lanes.StartNext(), nullptr);
  EXPECT_EQ(lanes.InWindow(kPartition), 2u);
  lanes.FinishTakenOut(*dropped);
  EXPECT_EQ(lanes.InWindow(kPartition), 1u);
  EXPECT_EQ(lanes.StartNext()->record.offset, 1);
}

TEST(TurnLanesTest, AHeldLaneWaitsWhileOthersStart) {
  TurnLanes lanes;
  lanes.Push(Task("anna", 0));
  lanes.Push(Task("ben", 1));
  lanes.SetHeld("anna", true);
  EXPECT_EQ(lanes.StartNext()->record.key, "ben");
  EXPECT_EQ(lanes.StartNext(), nullptr);
  lanes.SetHeld("anna", false);
  EXPECT_EQ(lanes.StartNext()->record.key, "anna");
}

TEST(TurnLanesTest, ARevokeForgetsWhatWaitsInAHeldLane) {
  TurnLanes lanes;
  lanes.Push(Task("anna", 0));
  lanes.Push(Task("anna", 1));
  const auto dropped = lanes.TakeOut("anna", 0);
  lanes.SetHeld("anna", true);
  lanes.DropWaiting(kPartition);
  lanes.FinishTakenOut(*dropped);
  EXPECT_EQ(lanes.InWindow(kPartition), 0u);
  lanes.Push(Task("anna", 0));  // assigned again
  EXPECT_NE(lanes.StartNext(), nullptr);
}

TEST(TurnLanesTest, FinishOfATurnThatDoesNotRunIsABug) {
  TurnLanes lanes;
  EXPECT_DEATH(lanes.Finish(*Task("anna", 0)), "not running");
}

// Goal: whatever the order of arrivals, starts, ends and revokes, no conversation runs twice at once, its turns start
// in
//       offset order, nothing is lost and the counts agree.
// Method: random traffic from fixed seeds against plain bookkeeping.
TEST(TurnLanesTest, OrderAndCountsHoldUnderRandomTraffic) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 rng(seed);
    TurnLanes lanes;
    std::map<std::string, std::int64_t> last_started;
    std::map<std::string, std::shared_ptr<TurnTask>> running;
    std::size_t pushed = 0, started = 0, dropped = 0;
    std::int64_t offset = 0;
    for (int step = 0; step < 20'000; ++step) {
      const auto dice = rng() % 100;
      if (dice < 45) {
        const auto partition = static_cast<std::int32_t>(rng() % 3);
        // A conversation lives on one partition.
        lanes.Push(Task(std::to_string(partition) + "-" + std::to_string(rng() % 8), offset++, partition));
        ++pushed;
      } else if (dice < 70) {
        if (const auto task = lanes.StartNext()) {
          ASSERT_EQ(running.count(task->record.key), 0u);
          const auto [it, is_first] = last_started.emplace(task->record.key, -1);
          ASSERT_LT(it->second, task->record.offset);
          it->second = task->record.offset;
          running[task->record.key] = task;
          ++started;
        }
      } else if (dice < 99) {
        if (!running.empty()) {
          auto it = std::next(running.begin(), static_cast<std::ptrdiff_t>(rng() % running.size()));
          lanes.Finish(*it->second);
          running.erase(it);
        }
      } else {
        const std::size_t before = lanes.waiting_count();
        lanes.DropWaiting({"mesh.turns", static_cast<std::int32_t>(rng() % 3)});
        dropped += before - lanes.waiting_count();
      }
      ASSERT_EQ(lanes.running_count(), running.size());
      ASSERT_EQ(lanes.waiting_count(), pushed - started - dropped);
    }
  }
}

}  // namespace
}  // namespace worker
