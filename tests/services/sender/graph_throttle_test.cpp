#include "services/sender/graph_throttle.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "tests/services/sender/send_lane_fixture.h"

namespace sender {
namespace {

using channel::BackoffScope;
using channel::SendVerdict;
using std::chrono::hours;
using std::chrono::seconds;

constexpr base::MonotonicTime kNow{hours(1)};

account::Account AccountOf(const std::string& id) {
  account::Account account;
  account.channel = mesh::bus::v1::CHANNEL_WHATSAPP;
  account.account_id = id;
  return account;
}

channel::SendAnswer Answer(SendVerdict verdict, BackoffScope scope = BackoffScope::kReply) {
  channel::SendAnswer answer;
  answer.verdict = verdict;
  answer.backoff_scope = scope;
  return answer;
}

int HeldOf100(GraphThrottle& throttle, const account::Account& account) {
  int held = 0;
  for (int i = 0; i < 100; ++i) {
    const absl::Status may_send = throttle.MaySend(account, kNow);
    if (may_send.ok()) continue;
    ++held;
    EXPECT_TRUE(absl::IsUnavailable(may_send));
    EXPECT_NE(may_send.message().find("--graph-throttle-k"), absl::string_view::npos) << "names the knob";
  }
  return held;
}

TEST(GraphThrottleTest, OneAccountsTroubleSlowsNoOther) {
  GraphThrottle throttle(/*k=*/2);
  ASSERT_TRUE(throttle.MaySend(AccountOf("1"), kNow).ok());
  ASSERT_TRUE(throttle.MaySend(AccountOf("2"), kNow).ok());
  for (int i = 0; i < 200; ++i) throttle.OnAnswer(AccountOf("1"), Answer(SendVerdict::kRetry), kNow);
  EXPECT_GT(HeldOf100(throttle, AccountOf("1")), 90);
  EXPECT_EQ(HeldOf100(throttle, AccountOf("2")), 0);
}

// What says nothing of the API's room holds nobody back: content, a dead token, one user's pair rate, no connection.
TEST(GraphThrottleTest, OnlyWantOfRoomHoldsSendsBack) {
  const account::Account account = AccountOf("1");
  for (const auto& answer : {Answer(SendVerdict::kAccepted), Answer(SendVerdict::kFail), Answer(SendVerdict::kPark),
                             Answer(SendVerdict::kRetry, BackoffScope::kUser)}) {
    GraphThrottle throttle(/*k=*/2);
    for (int i = 0; i < 200; ++i) throttle.OnAnswer(account, answer, kNow);
    EXPECT_EQ(HeldOf100(throttle, account), 0) << static_cast<int>(answer.verdict);
  }
  for (const auto& answer : {Answer(SendVerdict::kInDoubt), Answer(SendVerdict::kRetry),
                             Answer(SendVerdict::kRetry, BackoffScope::kAccount)}) {
    GraphThrottle throttle(/*k=*/2);
    for (int i = 0; i < 200; ++i) throttle.OnAnswer(account, answer, kNow);
    EXPECT_GT(HeldOf100(throttle, account), 90) << static_cast<int>(answer.verdict);
  }
  GraphThrottle unreachable(/*k=*/2);
  GraphThrottle silent(/*k=*/2);
  for (int i = 0; i < 200; ++i) {
    unreachable.OnNoAnswer(account, {absl::AbortedError("the lease is over"), http::SendCertainty::kNotSent}, kNow);
    unreachable.OnNoAnswer(account, {absl::UnavailableError("cannot connect"), http::SendCertainty::kNotSent}, kNow);
    silent.OnNoAnswer(account, {absl::DeadlineExceededError(""), http::SendCertainty::kMaybeSent}, kNow);
  }
  EXPECT_EQ(HeldOf100(unreachable, account), 0);
  EXPECT_GT(HeldOf100(silent, account), 90);
}

// An API that takes two sends a second gets 300 at once: it is asked little more often than K times what it takes, and
// no reply is given up, although all of them together take longer than the deadline of one.
TEST_F(SendLaneTest, AnApiThatCannotKeepUpIsSparedAndNoReplyIsGivenUp) {
  std::int64_t second = -1;
  int taken = 0;
  world_.graph = [&](int) {
    const std::int64_t now_s = std::chrono::duration_cast<seconds>(world_.now.time_since_epoch()).count();
    if (now_s != second) second = now_s, taken = 0;
    return ++taken <= 2 ? GraphBehaviour::kAccept : GraphBehaviour::kRefuse;
  };
  world_.account.turn_deadline_s = 60;
  Process& process = world_.StartOwner();
  for (int user = 0; user < 300; ++user) world_.Say("u" + std::to_string(user), "t" + std::to_string(user), "hello");
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(world_.shown.size(), 300u);
  EXPECT_TRUE(world_.dead_letters.empty()) << world_.dead_letters.size();
  EXPECT_GT(process.metrics().throttled.Value(), 0);
  EXPECT_LT(world_.posts, 3 * 300);
}

}  // namespace
}  // namespace sender
