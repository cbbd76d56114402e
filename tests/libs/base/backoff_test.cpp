#include "libs/base/backoff.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>

namespace base {
namespace {

using std::chrono::milliseconds;

TEST(BackoffTest, DoublesFromTheInitialDelayWithinAQuarter) {
  Duration expected = milliseconds(100);
  for (int attempt = 1; attempt <= 6; ++attempt, expected *= 2) {
    const Duration delay = BackoffDelay(attempt, milliseconds(100), milliseconds(60'000), /*seed=*/7);
    EXPECT_GE(delay, expected * 3 / 4) << attempt;
    EXPECT_LE(delay, expected * 5 / 4) << attempt;
  }
}

TEST(BackoffTest, IsCappedBeforeTheSpread) {
  for (const int attempt : {5, 63, 64, 65, 1'000'000}) {
    const Duration delay = BackoffDelay(attempt, milliseconds(100), milliseconds(800), /*seed=*/7);
    EXPECT_GE(delay, milliseconds(600)) << attempt;
    EXPECT_LE(delay, milliseconds(1000)) << attempt;
  }
}

TEST(BackoffTest, RepeatsForTheSameSeedAndDiffersAcrossSeeds) {
  std::set<Duration> delays;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Duration delay = BackoffDelay(1, milliseconds(100), milliseconds(100), seed);
    EXPECT_EQ(delay, BackoffDelay(1, milliseconds(100), milliseconds(100), seed));
    delays.insert(delay);
  }
  EXPECT_GT(delays.size(), 95u);
}

TEST(BackoffTest, SpreadsOverTheWholeRange) {
  int below = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    if (BackoffDelay(1, milliseconds(100), milliseconds(100), seed) < milliseconds(100)) ++below;
  }
  EXPECT_GT(below, 400);
  EXPECT_LT(below, 600);
}

TEST(BackoffDeathTest, RefusesWrongArguments) {
  EXPECT_DEATH(BackoffDelay(0, milliseconds(1), milliseconds(1), 0), "attempt >= 1");
  EXPECT_DEATH(BackoffDelay(1, milliseconds(2), milliseconds(1), 0), "max >= initial");
}

}  // namespace
}  // namespace base
