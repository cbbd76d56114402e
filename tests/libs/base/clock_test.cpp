#include "libs/base/clock.h"

#include <gtest/gtest.h>

#include <chrono>

#include "tests/fakes/fake_clock.h"

namespace base {
namespace {

using std::chrono::milliseconds;

TEST(RealClockTest, NeverRunsBackwards) {
  MonotonicTime before = Clock::Real().Now();
  for (int i = 0; i < 1000; ++i) {
    const MonotonicTime now = Clock::Real().Now();
    ASSERT_GE(now, before);
    before = now;
  }
}

TEST(RealClockTest, WallTimeCountsFromTheUnixEpoch) {
  EXPECT_GT(Clock::Real().WallMs(), 1'700'000'000'000);   // November 2023
  EXPECT_LT(Clock::Real().WallMs(), 10'000'000'000'000);  // a value in microseconds would be far above
}

TEST(DurationTest, ConvertsToMillisecondsAndSeconds) {
  EXPECT_EQ(ToMs(std::chrono::microseconds(1999)), 1);
  EXPECT_DOUBLE_EQ(ToSeconds(milliseconds(1500)), 1.5);
}

TEST(FakeClockTest, MovesOnlyWhenToldTo) {
  fakes::FakeClock clock(/*wall_ms=*/1000);
  const MonotonicTime start = clock.Now();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(milliseconds(250));
  EXPECT_EQ(clock.Now() - start, milliseconds(250));
  EXPECT_EQ(clock.WallMs(), 1250);
}

TEST(FakeClockTest, TheWallClockCanJumpBackAlone) {
  fakes::FakeClock clock(/*wall_ms=*/1000);
  const MonotonicTime start = clock.Now();
  clock.JumpWall(-milliseconds(600));
  EXPECT_EQ(clock.WallMs(), 400);
  EXPECT_EQ(clock.Now(), start);
}

}  // namespace
}  // namespace base
