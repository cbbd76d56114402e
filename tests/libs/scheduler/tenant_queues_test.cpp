#include "libs/scheduler/tenant_queues.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace scheduler {
namespace {

using std::chrono::seconds;

class TenantQueuesTest : public testing::Test {
 protected:
  Sequence* Push(std::uint64_t id, std::string tenant, std::int32_t priority = 0, base::MonotonicTime deadline = {}) {
    sequences_.push_back(std::make_unique<Sequence>(NewSequence{.id = SequenceId(id),
                                                                .tenant = std::move(tenant),
                                                                .prompt = {1},
                                                                .tokens_max = 1,
                                                                .deadline = deadline,
                                                                .priority = priority},
                                                    /*block_size=*/4));
    queues_.Push(sequences_.back().get(), step_);
    return sequences_.back().get();
  }
  // Admits whose turn it is and charges its tenant for `tokens`.
  std::uint64_t Pop(std::int64_t tokens) {
    Sequence* front = queues_.Front(step_);
    if (front == nullptr) return 0;
    queues_.Pop(front, step_);
    TenantQueues::Charge(*front, tokens);
    return front->id.value();
  }
  std::vector<std::uint64_t> PopAll(std::int64_t tokens) {
    std::vector<std::uint64_t> ids;
    while (const std::uint64_t id = Pop(tokens)) ids.push_back(id);
    return ids;
  }

  std::vector<std::unique_ptr<Sequence>> sequences_;
  TenantQueues queues_{{.rank_steps = 10, .overdue_steps = 100}};
  std::int64_t step_ = 0;
};

TEST_F(TenantQueuesTest, TenantsServedAlikeTakeTurnsAndEachKeepsItsOrder) {
  for (std::uint64_t id : {1, 2, 3}) Push(id, "a");
  Push(4, "b");
  Push(5, "c");
  EXPECT_EQ(PopAll(10), (std::vector<std::uint64_t>{1, 4, 5, 2, 3}));
}

TEST_F(TenantQueuesTest, WhoWasServedFewestTokensGoesFirst) {
  for (std::uint64_t id : {1, 2, 3}) Push(id, "long");
  EXPECT_EQ(Pop(100), 1u);
  for (std::uint64_t id : {5, 6, 7, 8}) Push(id, "short");  // lifted to the counter of those there
  EXPECT_EQ(Pop(100), 2u) << "equal counters: who came first";
  EXPECT_EQ(PopAll(40), (std::vector<std::uint64_t>{5, 6, 7, 3, 8}));
}

TEST_F(TenantQueuesTest, WhoStaysAwaySavesUpNothingAndIsForgotten) {
  Sequence* once = Push(1, "idle");
  Push(2, "busy");
  EXPECT_EQ(Pop(5), 1u);
  queues_.Leave(*once);
  EXPECT_EQ(queues_.tenants(), 1u);
  EXPECT_EQ(Pop(1000), 2u);
  Push(3, "busy");
  Push(4, "idle");
  EXPECT_EQ(Pop(1), 3u);
}

// Goal: who asks one thing at a time, and so is away between two of them, is not owed more than who always has others
// waiting.
TEST_F(TenantQueuesTest, WhoWasServedMuchAndComesBackIsOwedNothingUntilTheOthersCaughtUp) {
  Sequence* long_one = Push(1, "one at a time");
  std::uint64_t id = 2;
  for (; id < 20; ++id) Push(id, "always there");
  EXPECT_EQ(Pop(100), 1u);
  EXPECT_EQ(Pop(10), 2u);
  queues_.Leave(*long_one);
  Push(id, "one at a time");
  for (std::uint64_t next = 3; next <= 11; ++next) EXPECT_EQ(Pop(10), next);
  EXPECT_EQ(Pop(10), 12u) << "equal counters: who came first";
  EXPECT_EQ(Pop(100), id);
}

TEST_F(TenantQueuesTest, WhoIsGoneIsRememberedOnlyUntilTheOthersCaughtUpOrAllAreGone) {
  Sequence* busy = Push(1, "busy");
  Sequence* ahead = Push(2, "ahead");
  Sequence* behind = Push(3, "behind");
  EXPECT_EQ(Pop(10), 1u);
  EXPECT_EQ(Pop(20), 2u);
  EXPECT_EQ(Pop(5), 3u);
  queues_.Leave(*behind);
  EXPECT_EQ(queues_.gone(), 0u) << "it may come back with the least";
  queues_.Leave(*ahead);
  EXPECT_EQ(queues_.gone(), 1u);
  TenantQueues::Charge(*busy, 10);
  Sequence* passer_by = Push(4, "passer-by");
  EXPECT_TRUE(queues_.Remove(passer_by));
  queues_.Leave(*passer_by);
  EXPECT_EQ(queues_.gone(), 0u) << "caught up";
  Sequence* once = Push(5, "once");
  EXPECT_EQ(Pop(1000), 5u);
  queues_.Leave(*once);
  EXPECT_EQ(queues_.gone(), 1u);
  queues_.Leave(*busy);
  EXPECT_EQ(queues_.tenants(), 0u);
  EXPECT_EQ(queues_.gone(), 0u) << "nobody was kept waiting";
}

TEST_F(TenantQueuesTest, OfTheGoneThoseThatWereServedMostAreRemembered) {
  Push(1, "always there");
  Push(2, "always there");
  EXPECT_EQ(Pop(1), 1u);
  const std::size_t gone_max = TenantQueues::kGoneMax;
  for (std::size_t i = 0; i < gone_max + 10; ++i) {
    Sequence* sequence = Push(100 + i, "tenant" + std::to_string(i));
    TenantQueues::Charge(*sequence, static_cast<std::int64_t>(10 + i));
    EXPECT_TRUE(queues_.Remove(sequence));
    queues_.Leave(*sequence);
  }
  EXPECT_EQ(queues_.gone(), gone_max);
  Push(50, "tenant" + std::to_string(gone_max + 9));
  Push(51, "tenant0");
  EXPECT_EQ(PopAll(1), (std::vector<std::uint64_t>{2, 51, 50}));
}

TEST_F(TenantQueuesTest, PriorityGoesFirstAndWaitingRaisesIt) {
  Push(1, "a", /*priority=*/2);
  Push(2, "b", /*priority=*/1);
  step_ = 9;
  Push(3, "c", /*priority=*/0);
  EXPECT_EQ(Pop(0), 3u);
  EXPECT_EQ(queues_.Front(step_)->id.value(), 2u);
  step_ = 20;  // both have risen to the highest by now
  Push(4, "a", /*priority=*/0);
  EXPECT_EQ(PopAll(0), (std::vector<std::uint64_t>{1, 2, 4}));
}

// Tenants that come anew all the time are owed no less than the others, but must not keep one out for ever.
TEST_F(TenantQueuesTest, OverdueTenantGoesBeforeAllOthers) {
  Push(1, "heavy");
  Push(2, "heavy");
  Push(3, "anchor");
  EXPECT_EQ(Pop(1'000'000), 1u);
  EXPECT_EQ(Pop(1), 3u);
  std::uint64_t id = 10;
  for (; step_ < 100; ++step_, ++id) {
    Push(id, "fresh" + std::to_string(id));
    ASSERT_EQ(Pop(1), id) << step_;
  }
  Push(id, "fresh");
  EXPECT_EQ(Pop(1), 2u);
}

TEST_F(TenantQueuesTest, RemoveForgetsOnlyTheNamedSequence) {
  Sequence* first = Push(1, "a");
  Push(2, "a");
  Sequence* other = Push(3, "b");
  EXPECT_TRUE(queues_.Remove(first));
  EXPECT_FALSE(queues_.Remove(first));
  EXPECT_TRUE(queues_.Remove(other));
  EXPECT_EQ(queues_.size(), 1u);
  EXPECT_EQ(PopAll(1), (std::vector<std::uint64_t>{2}));
}

TEST_F(TenantQueuesTest, ExpiredLeaveAndSequencesWithoutDeadlineStay) {
  const base::MonotonicTime now{seconds(100)};
  Sequence* late = Push(1, "a", 0, now);
  Sequence* soon = Push(2, "a", 0, now + seconds(1));
  Push(3, "b");
  EXPECT_EQ(queues_.TakeExpired(now), (std::vector<Sequence*>{late}));
  EXPECT_EQ(queues_.TakeExpired(now + seconds(5)), (std::vector<Sequence*>{soon}));
  EXPECT_EQ(PopAll(1), (std::vector<std::uint64_t>{3}));
}

}  // namespace
}  // namespace scheduler
