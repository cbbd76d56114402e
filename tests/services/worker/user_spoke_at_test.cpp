#include "services/worker/user_spoke_at.h"

#include <gtest/gtest.h>

namespace worker {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kAcceptedMs = 1'790'000'000'000;

std::int64_t SpokeAt(std::int64_t sent_at_ms) {
  mesh::bus::v1::Turn turn;
  turn.set_sent_at_ms(sent_at_ms);
  turn.set_accepted_at_ms(kAcceptedMs);
  return UserSpokeAtMs(turn);
}

TEST(UserSpokeAtTest, TheChannelsTimeCounts) {
  EXPECT_EQ(SpokeAt(kAcceptedMs - 1500), kAcceptedMs - 1500);
  EXPECT_EQ(SpokeAt(kAcceptedMs - 6 * 24 * kHourMs), kAcceptedMs - 6 * 24 * kHourMs) << "a webhook of an outage";
}

TEST(UserSpokeAtTest, ATimeThatCannotBeIsTheGateways) {
  EXPECT_EQ(SpokeAt(0), kAcceptedMs);
  EXPECT_EQ(SpokeAt(kAcceptedMs + 1), kAcceptedMs) << "a clock that is ahead must not widen the window";
  EXPECT_EQ(SpokeAt(kAcceptedMs - 9 * 24 * kHourMs), kAcceptedMs);
}

}  // namespace
}  // namespace worker
