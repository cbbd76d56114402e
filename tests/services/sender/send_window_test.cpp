#include "services/sender/send_window.h"

#include <gtest/gtest.h>

namespace sender {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kHourMs = 60 * kMinuteMs;
constexpr std::int64_t kSpokeMs = 1'790'000'000'000;

TEST(SendWindowTest, ClosesAMinuteBeforeItsHoursAreOver) {
  account::Account account;
  EXPECT_FALSE(IsWindowClosed(account, kSpokeMs, kSpokeMs));
  EXPECT_FALSE(IsWindowClosed(account, kSpokeMs, kSpokeMs + 24 * kHourMs - kMinuteMs - 1));
  EXPECT_TRUE(IsWindowClosed(account, kSpokeMs, kSpokeMs + 24 * kHourMs - kMinuteMs));
  account.window_h = 72;
  EXPECT_FALSE(IsWindowClosed(account, kSpokeMs, kSpokeMs + 71 * kHourMs));
  EXPECT_TRUE(IsWindowClosed(account, kSpokeMs, kSpokeMs + 72 * kHourMs));
}

TEST(SendWindowTest, StaysOpenWhereItIsNotCheckedOrNothingIsKnown) {
  account::Account account;
  EXPECT_FALSE(IsWindowClosed(account, /*user_spoke_at_ms=*/0, kSpokeMs));
  account.window_h = 0;
  EXPECT_FALSE(IsWindowClosed(account, kSpokeMs, kSpokeMs + 1000 * kHourMs));
}

}  // namespace
}  // namespace sender
