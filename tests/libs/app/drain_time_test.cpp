#include "libs/app/drain_time.h"

#include <gtest/gtest.h>

#include <chrono>

namespace app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(DrainTimeTest, SharesAreCountedFromTheBeginningToTheDeadline) {
  const base::MonotonicTime begun(seconds(1000));
  const DrainTime time(begun, begun + seconds(20));
  EXPECT_EQ(time.Until(0), begun);
  EXPECT_EQ(time.Until(0.5), begun + seconds(10));
  EXPECT_EQ(time.Until(0.75), begun + seconds(15));
  EXPECT_EQ(time.Until(1), begun + seconds(20));
}

// A start that took its time, and a signal in it, leave less to the drain: each step has its share of what is left.
TEST(DrainTimeTest, AShortTimeIsShared) {
  const base::MonotonicTime begun(seconds(1000));
  EXPECT_EQ(DrainTime(begun, begun + milliseconds(100)).Until(0.6), begun + milliseconds(60));
}

TEST(DrainTimeTest, ADeadlineThatIsOverLeavesNothing) {
  const base::MonotonicTime begun(seconds(1000));
  EXPECT_EQ(DrainTime(begun, begun - seconds(5)).Until(0.9), begun);
}

}  // namespace
}  // namespace app
