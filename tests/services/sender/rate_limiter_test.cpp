#include "services/sender/rate_limiter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <vector>

namespace sender {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr RateLimit kFree{1e9, 1e9};

TEST(RateLimiterTest, BurstGoesAtOnceAndTheRestAtTheRate) {
  RateLimiter limiter(/*buckets_max=*/10);
  const base::MonotonicTime now{};
  const RateLimit pair{/*rate_per_s=*/0.5, /*burst=*/3};
  for (int send = 0; send < 3; ++send) EXPECT_EQ(limiter.Reserve(now, "a", kFree, "u", pair), now);
  EXPECT_EQ(limiter.Reserve(now, "a", kFree, "u", pair), now + seconds(2));
  EXPECT_EQ(limiter.Reserve(now, "a", kFree, "u", pair), now + seconds(4)) << "a reservation is a place in the line";
}

TEST(RateLimiterTest, BothLimitsHoldAndOneUserDoesNotSlowAnother) {
  RateLimiter limiter(10);
  const base::MonotonicTime now{};
  const RateLimit pair{1, 1};
  EXPECT_EQ(limiter.Reserve(now, "a", kFree, "u", pair), now);
  EXPECT_EQ(limiter.Reserve(now, "a", kFree, "u", pair), now + seconds(1));
  EXPECT_EQ(limiter.Reserve(now, "a", kFree, "v", pair), now);
  const RateLimit number{10, 1};
  EXPECT_EQ(limiter.Reserve(now, "b", number, "w", kFree), now);
  EXPECT_EQ(limiter.Reserve(now, "b", number, "x", kFree), now + milliseconds(100));
}

TEST(RateLimiterTest, TokensComeBackButNeverMoreThanTheBurst) {
  RateLimiter limiter(10);
  const RateLimit pair{1, 2};
  base::MonotonicTime now{};
  limiter.Reserve(now, "a", kFree, "u", pair);
  limiter.Reserve(now, "a", kFree, "u", pair);
  now += seconds(3600);
  EXPECT_EQ(limiter.Reserve(now, "a", kFree, "u", pair), now);
  EXPECT_EQ(limiter.Reserve(now, "a", kFree, "u", pair), now);
  EXPECT_EQ(limiter.Reserve(now, "a", kFree, "u", pair), now + seconds(1));
}

// Goal: however the partitions are spread, the senders together keep to the account's rate.
// Method: as many sends as possible in a minute by each of three senders, which have 1, 3 and 8 of 12 partitions.
TEST(RateLimiterTest, TheSharesOfAllSendersAddUpToTheAccountsRateAndUsersKeepTheirs) {
  const RateLimit number{/*rate_per_s=*/24, /*burst=*/24};
  int sends = 0;
  for (const int partitions : {1, 3, 8}) {
    RateLimiter limiter(10);
    limiter.SetAccountShare(partitions / 12.0);
    while (limiter.Reserve({}, "a", number, "u", kFree) < base::MonotonicTime(seconds(60))) ++sends;
    RateLimiter of_users(10);
    of_users.SetAccountShare(partitions / 12.0);
    EXPECT_EQ(of_users.Reserve({}, "a", kFree, "u", {1, 2}), base::MonotonicTime());
    EXPECT_EQ(of_users.Reserve({}, "a", kFree, "u", {1, 2}), base::MonotonicTime()) << "a user's burst is its own";
  }
  EXPECT_NEAR(sends, 24 * 60 + 24, 3);
}

TEST(RateLimiterTest, HoldStopsTheWholeAccountAndNobodyElse) {
  RateLimiter limiter(10);
  const base::MonotonicTime now{};
  limiter.Reserve(now, "a", kFree, "u", kFree);
  limiter.Reserve(now, "b", kFree, "u", kFree);
  limiter.Hold("a", now + seconds(8));
  limiter.Hold("a", now + seconds(5));
  EXPECT_EQ(limiter.HeldUntil("a"), now + seconds(8)) << "a shorter hold does not end a longer one";
  EXPECT_EQ(limiter.Reserve(now, "a", kFree, "v", kFree), now + seconds(8));
  EXPECT_EQ(limiter.Reserve(now, "b", kFree, "v", kFree), now);
}

TEST(RateLimiterTest, NoRateMeansNoLimit) {
  RateLimiter limiter(10);
  const base::MonotonicTime now{};
  for (int send = 0; send < 100; ++send) EXPECT_EQ(limiter.Reserve(now, "a", {0, 0}, "u", {0, 0}), now);
}

TEST(RateLimiterTest, TellsWhatAUserCanBeSentInATimeWithoutTakingIt) {
  RateLimiter limiter(10);
  const base::MonotonicTime now{};
  const RateLimit pair{1.0 / 6, 45};
  EXPECT_EQ(limiter.UserSendsUntil(now, "u", pair, now + seconds(120)), 65u) << "the burst and one each six seconds";
  EXPECT_EQ(limiter.UserSendsUntil(now, "u", pair, now), 45u);
  for (int send = 0; send < 55; ++send) limiter.Reserve(now, "a", kFree, "u", pair);
  EXPECT_EQ(limiter.UserSendsUntil(now, "u", pair, now + seconds(120)), 10u);
  EXPECT_EQ(limiter.UserSendsUntil(now, "u", pair, now + seconds(30)), 0u);
  EXPECT_EQ(limiter.UserSendsUntil(now + seconds(36000), "u", pair, now), 45u);
  EXPECT_GT(limiter.UserSendsUntil(now, "u", {0, 0}, now), 1000u) << "no rate, no limit";
}

TEST(RateLimiterTest, MemoryIsBoundedByForgettingTheLeastRecentlyUsed) {
  RateLimiter limiter(/*buckets_max=*/2);
  const base::MonotonicTime now{};
  const RateLimit pair{1, 1};
  limiter.Reserve(now, "a", kFree, "u", pair);
  limiter.Reserve(now, "a", kFree, "v", pair);
  limiter.Reserve(now, "a", kFree, "u", pair);
  limiter.Reserve(now, "a", kFree, "w", pair);  // v is forgotten
  EXPECT_EQ(limiter.bucket_count(), 3u);        // account a; users u and w
  EXPECT_EQ(limiter.Reserve(now, "a", kFree, "u", pair), now + seconds(2)) << "u is remembered";
}

// Goal: over any stretch of time no more sends start than burst + rate * stretch, whatever the pattern of asking.
// Method: random arrivals; every pair of granted times is checked.
TEST(RateLimiterTest, NeverGrantsMoreThanTheRateAllows) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937_64 rng(kSeed);
  RateLimiter limiter(10);
  const RateLimit limit{/*rate_per_s=*/20, /*burst=*/5};
  base::MonotonicTime now{};
  std::vector<base::MonotonicTime> granted;
  for (int send = 0; send < 500; ++send) {
    now += milliseconds(rng() % 80);
    granted.push_back(limiter.Reserve(now, "a", limit, "u", kFree));
  }
  for (std::size_t first = 0; first < granted.size(); ++first) {
    for (std::size_t last = first + 1; last < granted.size(); ++last) {
      const double stretch_s = base::ToSeconds(granted[last] - granted[first]);
      ASSERT_LE(static_cast<double>(last - first + 1), limit.burst + limit.rate_per_s * stretch_s + 1 + 1e-6);
    }
  }
}

}  // namespace
}  // namespace sender
