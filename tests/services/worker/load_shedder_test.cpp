#include "services/worker/load_shedder.h"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <random>

namespace worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::MonotonicTime kStart{std::chrono::hours(1)};

TEST(LoadShedderTest, TheClockRunsOnlyWhileTheEngineIsFull) {
  LoadShedder shedder;
  base::MonotonicTime now = kStart;
  const auto look = [&](base::Duration after, bool full) { shedder.Look(now += after, full); };
  look(seconds(0), false);
  look(milliseconds(500), true);  // was not full until now
  EXPECT_EQ(shedder.queue_time(), base::Duration{});
  look(milliseconds(500), true);
  look(milliseconds(300), false);
  EXPECT_EQ(shedder.queue_time(), milliseconds(800));
  look(milliseconds(900), true);
  EXPECT_EQ(shedder.queue_time(), milliseconds(800));
}

// A worker that was stopped for a minute finds its queue as it was, and sheds nothing for it.
TEST(LoadShedderTest, TimeInWhichNobodyLookedCountsForASecondAtMost) {
  LoadShedder shedder;
  shedder.Look(kStart, true);
  shedder.Look(kStart + seconds(60), true);
  EXPECT_EQ(shedder.queue_time(), seconds(1));
}

TEST(LoadShedderTest, ATurnIsHopelessOnceDelayAndAnswerExceedItsDeadline) {
  LoadShedder shedder;
  EXPECT_FALSE(shedder.IsHopeless(seconds(10), /*ahead=*/1000, seconds(10))) << "nothing is known yet";
  EXPECT_TRUE(shedder.IsHopeless(seconds(10) + milliseconds(1), 0, seconds(10)));
  for (int i = 0; i < 200; ++i) shedder.OnAnswered(seconds(3));
  EXPECT_FALSE(shedder.IsHopeless(milliseconds(6900), 0, seconds(10)));
  EXPECT_TRUE(shedder.IsHopeless(milliseconds(7100), 0, seconds(10)));
}

// Otherwise nothing would be begun any more, and nothing would show that answers are faster now.
TEST(LoadShedderTest, SlowAnswersAloneNeverMakeATurnHopeless) {
  LoadShedder shedder;
  for (int i = 0; i < 200; ++i) shedder.OnAnswered(seconds(100));
  EXPECT_FALSE(shedder.IsHopeless(seconds(4), 0, seconds(10)));
  EXPECT_TRUE(shedder.IsHopeless(seconds(6), 0, seconds(10)));
}

TEST(LoadShedderTest, ATurnBehindTooManyIsHopelessAtOnce) {
  LoadShedder shedder;
  base::MonotonicTime now = kStart;
  for (int i = 0; i < 1000; ++i) {
    shedder.Look(now, true);
    shedder.OnStarted();
    now += milliseconds(100);
  }
  EXPECT_FALSE(shedder.IsHopeless(base::Duration{}, /*ahead=*/90, seconds(10)));
  EXPECT_TRUE(shedder.IsHopeless(base::Duration{}, /*ahead=*/110, seconds(10)));
}

// Goal: under any overload the engine is never idle, what it is given is answered in time, and the rest is told at
// once. Method: a queue before a server of one turn every 100 ms with a deadline of 5 s, arrivals at random, 100 s
// each.
TEST(LoadShedderTest, GoodputStaysAtTheEnginesRateUnderAnyOverload) {
  for (const int overload : {1, 3, 10, 100}) {
    std::mt19937 random(static_cast<unsigned>(overload));
    LoadShedder shedder;
    std::deque<base::Duration> queue;  // when each came, on the shedder's clock
    constexpr base::Duration kService = milliseconds(100);
    constexpr base::Duration kDeadline = seconds(5);
    int in_time = 0, late = 0, shed_at_once = 0, shed_later = 0;
    base::MonotonicTime free_at = kStart;
    for (base::MonotonicTime now = kStart; now < kStart + seconds(100); now += milliseconds(1)) {
      shedder.Look(now, now < free_at && !queue.empty());
      if (random() % 1000 < static_cast<unsigned>(9 * overload)) {  // overload * 9 a second
        if (shedder.IsHopeless(base::Duration{}, queue.size(), kDeadline)) {
          ++shed_at_once;
        } else {
          queue.push_back(shedder.queue_time());
        }
      }
      while (!queue.empty() && shedder.IsHopeless(shedder.queue_time() - queue.front(), 0, kDeadline)) {
        queue.pop_front();
        ++shed_later;
      }
      if (now < free_at || queue.empty()) continue;
      const base::Duration waited = shedder.queue_time() - queue.front();
      queue.pop_front();
      shedder.OnStarted();
      free_at = now + kService;
      shedder.OnAnswered(kService);
      ++(waited + kService <= kDeadline ? in_time : late);
    }
    EXPECT_EQ(late, 0) << overload;
    EXPECT_GE(in_time, overload == 1 ? 800 : 950) << overload << ": of 1,000";
    if (overload == 1) {
      EXPECT_EQ(shed_at_once + shed_later, 0);
    } else {
      EXPECT_GT(shed_at_once, 9 * shed_later) << overload;
    }
  }
}

}  // namespace
}  // namespace worker
