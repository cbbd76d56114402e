// What follows a refusal, a dead token or silence: retry_delay, account_gate, in_doubt.
#include <gtest/gtest.h>

#include <chrono>

#include "services/sender/account_gate.h"
#include "services/sender/in_doubt.h"
#include "services/sender/retry_delay.h"

namespace sender {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(RetryDelayTest, PairRateWaitsPowersOfFourForThatUserAlone) {
  for (const auto& [attempt, wait_s] : {std::pair{1, 1}, {2, 4}, {3, 16}, {4, 64}, {5, 256}, {6, 300}, {60, 300}}) {
    const RetryDelay retry = DelayAfterRefusal(400, 131056, attempt, "", 1);
    EXPECT_EQ(retry.delay, seconds(wait_s)) << "attempt " << attempt;
    EXPECT_FALSE(retry.whole_account);
  }
}

TEST(RetryDelayTest, OtherRefusalsDoubleWithinBounds) {
  base::Duration before{};
  for (int attempt = 1; attempt <= 6; ++attempt) {
    const base::Duration delay = DelayAfterRefusal(500, 2, attempt, "", 1).delay;
    EXPECT_GT(delay, before);
    before = delay;
  }
  EXPECT_LE(DelayAfterRefusal(500, 2, 50, "", 1).delay, milliseconds(37500));
}

TEST(RetryDelayTest, LimitsOfTheNumberHoldTheWholeAccount) {
  EXPECT_TRUE(DelayAfterRefusal(400, 130429, 1, "", 1).whole_account);
  EXPECT_TRUE(DelayAfterRefusal(429, 0, 1, "", 1).whole_account);
  EXPECT_FALSE(DelayAfterRefusal(500, 131000, 1, "", 1).whole_account);
}

TEST(RetryDelayTest, RetryAfterIsHonouredUpToFiveMinutesAndIgnoredWhenItIsNoNumber) {
  EXPECT_EQ(DelayAfterRefusal(429, 4, 1, "17", 1).delay, seconds(17));
  EXPECT_EQ(DelayAfterRefusal(429, 4, 1, "999999999", 1).delay, minutes(5));
  EXPECT_LT(DelayAfterRefusal(429, 4, 1, "Wed, 21 Oct 2026", 1).delay, seconds(1));
  EXPECT_LT(DelayAfterRefusal(429, 4, 1, "-5", 1).delay, seconds(1));
  EXPECT_LT(DelayAfterRefusal(429, 4, 1, "99999999999999999999999", 1).delay, seconds(1));
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
