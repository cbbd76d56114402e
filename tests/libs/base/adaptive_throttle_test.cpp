#include "libs/base/adaptive_throttle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <random>

namespace base {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MonotonicTime kStart{std::chrono::hours(1)};

// A peer that accepts at most so many requests a second, under a client that has `offered` a second.
struct Peer {
  AdaptiveThrottle throttle;
  MonotonicTime now = kStart;
  int accepted = 0, failed = 0, refused_here = 0;

  void Run(Duration time, int offered_per_s, int capacity_per_s) {
    accepted = failed = refused_here = 0;
    for (const MonotonicTime end = now + time; now < end; now += seconds(1)) {
      int room = capacity_per_s;
      for (int i = 0; i < offered_per_s; ++i) {
        const MonotonicTime at = now + i * Duration(seconds(1)) / offered_per_s;
        if (!throttle.Admit(at)) {
          ++refused_here;
          continue;
        }
        const bool is_accepted = room-- > 0;
        ++(is_accepted ? accepted : failed);
        throttle.OnEnd(at, is_accepted);
      }
    }
  }
};

TEST(AdaptiveThrottleTest, APeerThatKeepsUpIsNeverHeldBack) {
  Peer peer{AdaptiveThrottle({}, /*seed=*/1)};
  peer.Run(seconds(300), /*offered_per_s=*/50, /*capacity_per_s=*/50);
  EXPECT_EQ(peer.refused_here, 0);
  peer.Run(seconds(300), 50, /*capacity_per_s=*/26);  // more than one of K = 2
  EXPECT_EQ(peer.refused_here, 0);
}

// Overloaded tenfold, the peer sees about K times what it accepts, and still has all its capacity used.
TEST(AdaptiveThrottleTest, AnOverloadedPeerSeesKTimesWhatItAccepts) {
  for (const double k : {1.5, 2.0, 4.0}) {
    Peer peer{AdaptiveThrottle({.k = k}, /*seed=*/7)};
    peer.Run(seconds(240), /*offered_per_s=*/200, /*capacity_per_s=*/20);
    peer.Run(seconds(120), 200, 20);
    EXPECT_NEAR(peer.accepted, 120 * 20, 120) << k;
    EXPECT_NEAR((peer.accepted + peer.failed) / static_cast<double>(peer.accepted), k, 0.15 * k) << k;
  }
}

TEST(AdaptiveThrottleTest, WhatIsOlderThanTheWindowNoLongerCounts) {
  Peer peer{AdaptiveThrottle({}, /*seed=*/3)};
  peer.Run(seconds(60), 100, 5);
  EXPECT_GT(peer.throttle.RefusedShare(peer.now), 0.5);
  EXPECT_GT(peer.throttle.RefusedShare(peer.now + AdaptiveThrottle::kWindow - seconds(65)), 0.5);
  EXPECT_EQ(peer.throttle.RefusedShare(peer.now + AdaptiveThrottle::kWindow), 0);
}

TEST(AdaptiveThrottleTest, AFewFailuresSayNothing) {
  AdaptiveThrottle throttle({.k = 2, .requests_min = 20}, /*seed=*/1);
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(throttle.Admit(kStart)) << i;
    throttle.OnEnd(kStart, /*accepted=*/false);
  }
  EXPECT_GT(throttle.RefusedShare(kStart), 0.9);
}

// A process that starts with a backlog asks thousands of times before the first answer is there.
TEST(AdaptiveThrottleTest, WhatIsStillUnderWaySaysNothing) {
  AdaptiveThrottle throttle({}, /*seed=*/1);
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(throttle.Admit(kStart)) << i;
}

// After an outage of a minute everything flows again within a probe, not when two more minutes have passed.
TEST(AdaptiveThrottleTest, APeerThatWasAwayIsAskedAgainWithinASecondAndThenFreely) {
  Peer peer{AdaptiveThrottle({}, /*seed=*/5)};
  peer.Run(seconds(60), 100, /*capacity_per_s=*/0);
  EXPECT_GT(peer.throttle.RefusedShare(peer.now), 0.99);
  EXPECT_GE(peer.failed, 59) << "one a second is a probe";
  peer.Run(seconds(2), 100, /*capacity_per_s=*/100);
  EXPECT_GE(peer.accepted, 100) << "the second second at the latest";
  EXPECT_EQ(peer.throttle.RefusedShare(peer.now), 0);
}

// What it accepted before it went away still speaks for it.
TEST(AdaptiveThrottleTest, ForgettingAnOutageKeepsWhatWasAccepted) {
  AdaptiveThrottle throttle({.k = 1, .requests_min = 0}, /*seed=*/1);
  ASSERT_TRUE(throttle.Admit(kStart));
  for (int i = 0; i < 10; ++i) throttle.OnEnd(kStart, /*accepted=*/true);
  const MonotonicTime now = kStart + AdaptiveThrottle::kAwayAfter;
  throttle.OnEnd(now - seconds(1), /*accepted=*/false);
  throttle.OnEnd(now, /*accepted=*/true);
  // 11 requests, 11 accepts; 9 more without an answer are 20 and 11.
  for (int i = 0; i < 9; ++i) throttle.OnEnd(now, /*accepted=*/false);
  EXPECT_DOUBLE_EQ(throttle.RefusedShare(now), (20 - 11) / 21.0);
}

// Goal: the share is the formula's over the window, whatever happens; and a second never passes without a probe.
// Method: random requests, ends and pauses against a plain list of what happened.
TEST(AdaptiveThrottleTest, TheShareIsThatOfTheFormulaUnderRandomTraffic) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random(seed);
    const double k = 1 + static_cast<double>(random() % 30) / 10;
    AdaptiveThrottle throttle({.k = k, .requests_min = 10}, seed);
    struct Event {
      std::int64_t slot;
      bool accept;
    };
    std::deque<Event> events;
    const Duration slot_time = AdaptiveThrottle::kWindow / 24;
    MonotonicTime now = kStart;
    MonotonicTime admitted = kStart;
    MonotonicTime accepted = kStart;
    for (int step = 0; step < 5000; ++step) {
      if (step > 0) now += milliseconds(random() % 400);
      const std::int64_t slot = now.time_since_epoch() / slot_time;
      while (!events.empty() && events.front().slot <= slot - 24) events.pop_front();
      const auto accepts = std::count_if(events.begin(), events.end(), [](const Event& e) { return e.accept; });
      const auto requests = static_cast<double>(events.size());
      const double expected =
          requests < 10 ? 0 : std::max(0.0, (requests - k * static_cast<double>(accepts)) / (requests + 1));
      ASSERT_DOUBLE_EQ(throttle.RefusedShare(now), expected) << "seed " << seed << " step " << step;
      if (throttle.Admit(now)) {
        admitted = now;
        if (random() % 10 == 0) continue;  // ended for a reason of the caller's own
        const bool is_accepted = random() % 3 == 0;
        throttle.OnEnd(now, is_accepted);
        events.push_back({slot, is_accepted});
        if (!is_accepted) continue;
        if (now - accepted >= AdaptiveThrottle::kAwayAfter)
          std::erase_if(events, [](const Event& e) { return !e.accept; });
        accepted = now;
      } else {
        events.push_back({slot, false});
        ASSERT_GT(expected, 0);
        ASSERT_LT(now - admitted, AdaptiveThrottle::kProbeInterval);
      }
    }
  }
}

TEST(AdaptiveThrottleTest, TheSameSeedRefusesTheSameRequests) {
  AdaptiveThrottle a({}, 9), b({}, 9), c({}, 10);
  int differs = 0;
  for (int i = 0; i < 1000; ++i) {
    const MonotonicTime now = kStart + milliseconds(i);
    for (AdaptiveThrottle* throttle : {&a, &b, &c}) throttle->OnEnd(now, /*accepted=*/i % 4 == 0);
    const bool admitted = a.Admit(now);
    EXPECT_EQ(admitted, b.Admit(now)) << i;
    differs += admitted != c.Admit(now);
  }
  EXPECT_GT(differs, 0);
}

TEST(AdaptiveThrottleDeathTest, RefusesWrongOptions) {
  EXPECT_DEATH(AdaptiveThrottle({.k = 0.9}, 1), "options.k >= 1");
}

}  // namespace
}  // namespace base
