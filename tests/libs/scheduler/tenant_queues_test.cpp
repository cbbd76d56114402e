#include "libs/scheduler/tenant_queues.h"

#include <gtest/gtest.h>

#include <chrono>

namespace scheduler {
namespace {

using std::chrono::seconds;

Sequence Make(std::uint64_t id, std::string tenant, base::MonotonicTime deadline = {}) {
  return Sequence(
      {.id = SequenceId(id), .tenant = std::move(tenant), .prompt = {1}, .tokens_max = 1, .deadline = deadline},
      /*block_size=*/4);
}

std::vector<std::uint64_t> PopAll(TenantQueues& queues) {
  std::vector<std::uint64_t> ids;
  while (Sequence* front = queues.Front()) {
    ids.push_back(front->id.value());
    queues.PopFront();
  }
  return ids;
}

TEST(TenantQueuesTest, TenantsTakeTurnsAndEachKeepsItsOrder) {
  Sequence a1 = Make(1, "a"), a2 = Make(2, "a"), a3 = Make(3, "a"), b1 = Make(4, "b"), c1 = Make(5, "c");
  TenantQueues queues;
  for (Sequence* sequence : {&a1, &a2, &a3, &b1, &c1}) queues.Push(sequence);
  EXPECT_EQ(PopAll(queues), (std::vector<std::uint64_t>{1, 4, 5, 2, 3}));
  EXPECT_EQ(queues.Front(), nullptr);
}

TEST(TenantQueuesTest, RemoveForgetsOnlyTheNamedSequence) {
  Sequence a1 = Make(1, "a"), a2 = Make(2, "a"), b1 = Make(3, "b");
  TenantQueues queues;
  for (Sequence* sequence : {&a1, &a2, &b1}) queues.Push(sequence);
  EXPECT_TRUE(queues.Remove(&a1));
  EXPECT_FALSE(queues.Remove(&a1));
  EXPECT_TRUE(queues.Remove(&b1));
  EXPECT_EQ(queues.size(), 1u);
  EXPECT_EQ(PopAll(queues), (std::vector<std::uint64_t>{2}));
}

TEST(TenantQueuesTest, ExpiredLeaveAndSequencesWithoutDeadlineStay) {
  const base::MonotonicTime now{seconds(100)};
  Sequence late = Make(1, "a", now), soon = Make(2, "a", now + seconds(1)), never = Make(3, "b");
  TenantQueues queues;
  for (Sequence* sequence : {&late, &soon, &never}) queues.Push(sequence);
  EXPECT_EQ(queues.TakeExpired(now), (std::vector<Sequence*>{&late}));
  EXPECT_EQ(queues.TakeExpired(now + seconds(5)), (std::vector<Sequence*>{&soon}));
  EXPECT_EQ(PopAll(queues), (std::vector<std::uint64_t>{3}));
}

}  // namespace
}  // namespace scheduler
