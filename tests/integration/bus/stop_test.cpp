// A member that stops at a bad moment of a rebalance has left and is gone within a bound.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "tests/integration/bus/bus_fixture.h"
#include "tests/integration/harness/wait.h"

namespace bus {
namespace {

using harness::WaitUntil;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kGoneWithin = seconds(20);

// Stops and destroys a member on a thread of its own, so that one that never returns fails the case and not the run.
std::future<void> EndApart(std::unique_ptr<Member> member) {
  std::promise<void> gone;
  std::future<void> result = gone.get_future();
  std::thread([member = std::move(member), gone = std::move(gone)]() mutable {
    member->Stop();
    member.reset();
    gone.set_value();
  }).detach();
  return result;
}

// Goal: librdkafka 2.0.2 never ends a client that is given an assignment while it closes (its issue 4528).
// Method: the poll thread stands in the handler while the group gives the member more partitions, and is told to stop
// before it sees them.
TEST_F(BusTest, AMemberThatIsGivenPartitionsWhileItStopsIsGone) {
  auto other = std::make_unique<Member>(options_, GroupOf("given-late", topic_), FinishAll);
  other->consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return other->assigned_count() == kPartitions; }));

  std::promise<void> go_on;
  std::atomic<bool> inside{false};
  auto member = std::make_unique<Member>(options_, GroupOf("given-late", topic_), FinishAll);
  member->on_assigned = [&inside, may_go = go_on.get_future().share()](const TopicPartition&) {
    inside = true;
    may_go.wait();
  };
  member->consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return inside.load(); }));
  other.reset();
  std::this_thread::sleep_for(seconds(3));  // the group's next generation, in which the member is given the rest

  std::future<void> gone = EndApart(std::move(member));
  std::this_thread::sleep_for(milliseconds(100));
  go_on.set_value();
  EXPECT_EQ(gone.wait_for(kGoneWithin), std::future_status::ready);
}

// Goal: as above, where a member's first assignment is empty, because the others have not given anything up yet.
TEST_F(BusTest, AMemberThatStopsInItsFirstJoinIsGone) {
  auto other = std::make_unique<Member>(options_, GroupOf("first-join", topic_), FinishAll);
  other->consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return other->assigned_count() == kPartitions; }));
  for (int i = 0; i < 3; ++i) {
    auto member = std::make_unique<Member>(options_, GroupOf("first-join", topic_), FinishAll);
    member->consumer().Start();
    std::this_thread::sleep_for(milliseconds(100 + 200 * i));  // a join takes up to a heartbeat of the others
    ASSERT_EQ(EndApart(std::move(member)).wait_for(kGoneWithin), std::future_status::ready) << i;
  }
}

// Goal: a client that is left behind in its first join still calls what watched it (a use after free once).
// Method: no time to leave in, and the group answers the join when the member is long gone.
TEST_F(BusTest, AMemberThatIsLeftBehindInItsFirstJoinHarmsNobody) {
  ConsumerOptions group = GroupOf("left-behind", topic_);
  auto other = std::make_unique<Member>(options_, group, FinishAll);
  other->consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return other->assigned_count() == kPartitions; }));
  group.leave_time = seconds(0);
  for (int i = 0; i < 4; ++i) {
    auto member = std::make_unique<Member>(options_, group, FinishAll);
    member->consumer().Start();
    std::this_thread::sleep_for(milliseconds(50 + 100 * i));
    ASSERT_EQ(EndApart(std::move(member)).wait_for(kGoneWithin), std::future_status::ready) << i;
  }
  std::this_thread::sleep_for(seconds(4));  // a heartbeat of the other, which lets the group answer
}

// Goal: a drain that has little time left is not held up by a broker that hangs.
TEST_F(BusTest, AMemberWhoseBrokerHangsIsGoneByItsDeadline) {
  auto member = std::make_unique<Member>(options_, GroupOf("by-deadline", topic_), FinishAll);
  member->consumer().Start();
  ASSERT_TRUE(WaitUntil([&] { return member->assigned_count() == kPartitions; }));
  broker().Pause();
  const base::MonotonicTime begun = base::Clock::Real().Now();
  member->consumer().Stop(begun + seconds(1));
  member.reset();
  const base::Duration took = base::Clock::Real().Now() - begun;
  broker().Resume();
  EXPECT_LT(base::ToMs(took), 3000) << "leave_time alone is 5 s";
}

}  // namespace
}  // namespace bus
