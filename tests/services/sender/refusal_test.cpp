// What follows a refusal, a dead token or silence: retry_delay, account_gate, in_doubt.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "services/sender/account_gate.h"
#include "services/sender/in_doubt.h"
#include "services/sender/retry_delay.h"

namespace sender {
namespace {

using channel::BackoffScope;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(RetryDelayTest, PairRateWaitsPowersOfFourForThatUserAlone) {
  for (const auto& [attempt, wait_s] : {std::pair{1, 1}, {2, 4}, {3, 16}, {4, 64}, {5, 256}, {6, 300}, {60, 300}}) {
    const RetryDelay retry = DelayAfterRefusal(BackoffScope::kUser, attempt, "", 1);
    EXPECT_EQ(retry.delay, seconds(wait_s)) << "attempt " << attempt;
    EXPECT_FALSE(retry.whole_account);
  }
}

TEST(RetryDelayTest, OtherRefusalsDoubleWithinBounds) {
  base::Duration before{};
  for (int attempt = 1; attempt <= 6; ++attempt) {
    const base::Duration delay = DelayAfterRefusal(BackoffScope::kReply, attempt, "", 1).delay;
    EXPECT_GT(delay, before);
    before = delay;
  }
  EXPECT_LE(DelayAfterRefusal(BackoffScope::kReply, 50, "", 1).delay, milliseconds(37500));
}

// Goal: whom a refusal holds back is said in one table, the codec's.
TEST(RetryDelayTest, WhatTheCodecSaysOfTheWholeAccountHoldsIt) {
  const channel::Codec& whatsapp = *channel::FindCodec(mesh::bus::v1::CHANNEL_WHATSAPP);
  const auto holds_account = [&](int http_status, int code) {
    const channel::SendAnswer answer =
        whatsapp.DecodeAnswer(http_status, "{\"error\":{\"code\":" + std::to_string(code) + "}}");
    EXPECT_EQ(answer.verdict, channel::SendVerdict::kRetry) << code;
    return DelayAfterRefusal(answer.backoff_scope, 1, "", 1).whole_account;
  };
  for (const int code : {4, 17, 32, 613, 80007, 130429, 131016, 131057, 133016}) {
    EXPECT_TRUE(holds_account(400, code)) << code;
  }
  EXPECT_TRUE(holds_account(429, 2));
  EXPECT_TRUE(holds_account(429, 999999));
  for (const int code : {1, 2, 1200, 131000, 131053, 131056, 135000}) EXPECT_FALSE(holds_account(400, code)) << code;
}

TEST(RetryDelayTest, RetryAfterIsHonouredUpToFiveMinutesAndIgnoredWhenItIsNoNumber) {
  const auto delay = [](std::string_view retry_after) {
    return DelayAfterRefusal(BackoffScope::kAccount, 1, retry_after, 1).delay;
  };
  EXPECT_EQ(delay("17"), seconds(17));
  EXPECT_EQ(delay("999999999"), minutes(5));
  EXPECT_LT(delay("Wed, 21 Oct 2026"), seconds(1));
  EXPECT_LT(delay("-5"), seconds(1));
  EXPECT_LT(delay("99999999999999999999999"), seconds(1));
}

account::Account AccountWithToken(const std::string& token) {
  account::Account account;
  account.channel = mesh::bus::v1::CHANNEL_WHATSAPP;
  account.account_id = "1001";
  account.access_token = crypto::Secret(token);
  return account;
}

TEST(AccountGateTest, ParkedAccountOpensWithANewToken) {
  AccountGate gate(seconds(30));
  const base::MonotonicTime now{};
  EXPECT_TRUE(gate.MayTry(AccountWithToken("old"), now));
  gate.Park(AccountWithToken("old"), now);
  EXPECT_FALSE(gate.MayTry(AccountWithToken("old"), now));
  EXPECT_EQ(gate.parked_count(), 1u);
  EXPECT_TRUE(gate.MayTry(AccountWithToken("new"), now));
  EXPECT_EQ(gate.parked_count(), 0u);
}

TEST(AccountGateTest, ClosedIsAskedWithoutTakingTheProbe) {
  AccountGate gate(seconds(30));
  EXPECT_FALSE(gate.Closed(AccountWithToken("old")));
  gate.Park(AccountWithToken("old"), {});
  const base::MonotonicTime later{seconds(30)};
  EXPECT_TRUE(gate.Closed(AccountWithToken("old")));
  EXPECT_FALSE(gate.Closed(AccountWithToken("new")));
  EXPECT_TRUE(gate.MayTry(AccountWithToken("old"), later));
  EXPECT_TRUE(gate.Closed(AccountWithToken("old"))) << "until a send is accepted";
  gate.Open(AccountWithToken("old"));
  EXPECT_FALSE(gate.Closed(AccountWithToken("old")));
}

TEST(AccountGateTest, OneProbeAnIntervalUntilASendIsAccepted) {
  AccountGate gate(seconds(30));
  base::MonotonicTime now{};
  const account::Account account = AccountWithToken("t");
  gate.Park(account, now);
  now += seconds(30);
  EXPECT_TRUE(gate.MayTry(account, now));
  EXPECT_FALSE(gate.MayTry(account, now)) << "the second caller of the interval waits";
  gate.Open(account);
  EXPECT_TRUE(gate.MayTry(account, now));
}

TEST(AccountGateTest, SameIdOnAnotherChannelIsAnotherAccount) {
  AccountGate gate(seconds(30));
  account::Account other = AccountWithToken("t");
  other.channel = mesh::bus::v1::CHANNEL_INSTAGRAM;
  gate.Park(AccountWithToken("t"), {});
  EXPECT_TRUE(gate.MayTry(other, {}));
}

TEST(InDoubtTest, PolicyDecidesAfterTheReconciliationTimeAndResendsOnce) {
  EXPECT_EQ(DecideDoubt(seconds(44), seconds(45), "resend", 0), DoubtStep::kWait);
  EXPECT_EQ(DecideDoubt(seconds(45), seconds(45), "resend", 0), DoubtStep::kResend);
  EXPECT_EQ(DecideDoubt(seconds(45), seconds(45), "resend", 1), DoubtStep::kPark);
  EXPECT_EQ(DecideDoubt(seconds(45), seconds(45), "park", 0), DoubtStep::kPark);
}

}  // namespace
}  // namespace sender
