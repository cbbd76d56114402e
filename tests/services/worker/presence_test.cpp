#include "services/worker/presence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/str_cat.h"
#include "tests/fakes/fake_clock.h"
#include "tests/services/worker/recorded_calls.h"

namespace worker {
namespace {

using mesh::bus::v1::CHANNEL_INSTAGRAM;
using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::CHANNEL_WEB;
using mesh::bus::v1::CHANNEL_WHATSAPP;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

// Presence on a clock and timers that the test moves.
class PresenceTest : public testing::Test {
 protected:
  PresenceTest() : metrics_(registry_) { Create({}); }

  void Create(const PresenceOptions& options, double share = 1) {
    presence_ = std::make_shared<Presence>(
        options, Presence::Parts{.http = &http_,
                                 .clock = &clock_,
                                 .metrics = &metrics_,
                                 .run_after =
                                     [this](base::Duration delay, std::function<void()> task) {
                                       timers_.emplace(clock_.Now() + delay, std::move(task));
                                     },
                                 .share = [share] { return share; }});
  }

  static std::shared_ptr<const account::Account> AccountOf(mesh::bus::v1::Channel channel,
                                                           const std::string& presence = "typing",
                                                           const std::string& id = "1",
                                                           double sends_per_second_max = 1e6) {
    auto account = std::make_shared<account::Account>();
    account->channel = channel;
    account->account_id = id;
    account->presence = presence;
    account->sends_per_second_max = sends_per_second_max;
    return account;
  }
  Presence::Shown Show(std::shared_ptr<const account::Account> account, const std::string& message_id = "wamid.1") {
    mesh::bus::v1::Turn turn;
    turn.mutable_conversation()->set_user("1254");
    turn.set_message_id(message_id);
    return presence_->Show(std::move(account), turn);
  }

  // Time passes, and what is due meanwhile runs when it is due.
  void Pass(base::Duration time) {
    const base::MonotonicTime end = clock_.Now() + time;
    while (!timers_.empty() && timers_.begin()->first <= end) {
      const auto due = timers_.begin()->first;
      const std::function<void()> task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      if (due > clock_.Now()) clock_.Advance(due - clock_.Now());
      task();
    }
    clock_.Advance(end - clock_.Now());
  }
  void RefuseCall(std::size_t call, int code, int subcode = 0) {
    http_.Answer(call, 400,
                 base::StrCat(R"({"error":{"message":"no","code":)", code, R"(,"error_subcode":)", subcode,
                              R"(,"fbtrace_id":"A"}})"));
    Pass({});
  }
  double Counted(std::string_view outcome, mesh::bus::v1::Channel channel = CHANNEL_WHATSAPP) const {
    return metrics_.presence.at({channel, std::string(outcome)}).Value();
  }

  telemetry::Registry registry_;
  const Metrics metrics_;
  fakes::FakeClock clock_;
  std::multimap<base::MonotonicTime, std::function<void()>> timers_;
  RecordedCalls http_;
  std::shared_ptr<Presence> presence_;
};

TEST_F(PresenceTest, OffAndChannelsWithoutItCostNothing) {
  const auto off = Show(AccountOf(CHANNEL_WHATSAPP, "off"));
  const auto web = Show(AccountOf(CHANNEL_WEB));
  EXPECT_EQ(http_.count(), 0u);
  EXPECT_TRUE(timers_.empty());
  EXPECT_EQ(presence_->shown_count(), 0u);
}

TEST_F(PresenceTest, ReadIsSaidOnceAndNotRenewed) {
  const auto whatsapp = Show(AccountOf(CHANNEL_WHATSAPP, "read"));
  const auto messenger = Show(AccountOf(CHANNEL_MESSENGER, "read"));
  Pass(minutes(2));
  ASSERT_EQ(http_.count(), 2u);
  EXPECT_THAT(http_.body(0), Not(HasSubstr("typing")));
  EXPECT_THAT(http_.body(1), HasSubstr("mark_seen"));
}

TEST_F(PresenceTest, TypingIsRenewedUntilTheTurnEnds) {
  auto shown = Show(AccountOf(CHANNEL_WHATSAPP));
  ASSERT_EQ(http_.count(), 1u) << "read and typing in one";
  EXPECT_THAT(http_.body(0), HasSubstr(R"("message_id":"wamid.1","typing_indicator")"));
  Pass(milliseconds(14'999));
  EXPECT_EQ(http_.count(), 1u);
  Pass(milliseconds(1));
  EXPECT_EQ(http_.count(), 2u);
  Pass(seconds(15));
  EXPECT_EQ(http_.count(), 3u);
  shown.End();
  Pass(minutes(2));
  EXPECT_EQ(http_.count(), 3u);
}

TEST_F(PresenceTest, MessengerAndInstagramAreTypingWithoutBeingReadAgain) {
  for (const auto channel : {CHANNEL_MESSENGER, CHANNEL_INSTAGRAM}) {
    const std::size_t before = http_.count();
    const auto shown = Show(AccountOf(channel));
    Pass(seconds(15));
    ASSERT_EQ(http_.count(), before + 3);
    EXPECT_THAT(http_.body(before), HasSubstr("mark_seen"));
    EXPECT_THAT(http_.body(before + 1), HasSubstr("typing_on"));
    EXPECT_THAT(http_.body(before + 2), HasSubstr("typing_on"));
  }
}

TEST_F(PresenceTest, EachTurnHasItsOwnTimeAndAllOneTimer) {
  const auto account = AccountOf(CHANNEL_WHATSAPP);
  std::optional<Presence::Shown> first = Show(account, "wamid.1");
  Pass(seconds(5));
  const auto second = Show(account, "wamid.2");
  EXPECT_EQ(timers_.size(), 1u);
  Pass(seconds(10));
  ASSERT_EQ(http_.count(), 3u);
  EXPECT_THAT(http_.body(2), HasSubstr("wamid.1"));
  first.reset();
  Pass(seconds(5));
  ASSERT_EQ(http_.count(), 4u);
  EXPECT_THAT(http_.body(3), HasSubstr("wamid.2"));
  EXPECT_EQ(presence_->shown_count(), 1u);
}

// Goal: what is kept is bounded by the turns that run, not by those that ran in the last 15 s.
TEST_F(PresenceTest, ATurnThatHasEndedLeavesNothingBehind) {
  for (int turn = 0; turn < 1000; ++turn) {
    const auto shown = Show(AccountOf(CHANNEL_WHATSAPP));
    http_.Leave(http_.count() - 1);
    Pass(milliseconds(1));
  }
  EXPECT_EQ(presence_->shown_count(), 0u);
  EXPECT_LE(timers_.size(), 1u);
  EXPECT_EQ(Counted("sent"), 1000);
}

TEST_F(PresenceTest, ShownMovesAndEndsWhatItReplaces) {
  auto shown = Show(AccountOf(CHANNEL_WHATSAPP), "wamid.1");
  Presence::Shown moved = std::move(shown);
  EXPECT_EQ(presence_->shown_count(), 1u);
  moved = Show(AccountOf(CHANNEL_WHATSAPP), "wamid.2");
  EXPECT_EQ(presence_->shown_count(), 1u);
  Pass(seconds(15));
  EXPECT_THAT(http_.body(http_.count() - 1), HasSubstr("wamid.2"));
}

// "Typing" behind the answer would stand there for 25 s.
TEST_F(PresenceTest, ARenewalThatHasNotLeftWhenTheTurnEndsNeverDoes) {
  auto shown = Show(AccountOf(CHANNEL_WHATSAPP));
  Pass(seconds(15));
  shown.End();
  http_.Leave(0);  // read it was
  http_.Leave(1);
  Pass({});
  EXPECT_EQ(Counted("sent"), 1);
  EXPECT_EQ(Counted("answered_before"), 1);
}

TEST_F(PresenceTest, AFailureIsCountedAndNotTriedAgain) {
  const auto shown = Show(AccountOf(CHANNEL_WHATSAPP));
  EXPECT_EQ(http_.request(0).deadline, clock_.Now() + seconds(3));
  http_.Fail(0, absl::DeadlineExceededError("slow"));
  Pass(seconds(14));
  EXPECT_EQ(http_.count(), 1u);
  EXPECT_EQ(Counted("no_answer"), 1);
  Pass(seconds(1));
  http_.Answer(1, 502, "<html>");
  Pass(seconds(15));
  EXPECT_EQ(Counted("refused"), 1);
  EXPECT_EQ(http_.count(), 3u) << "a renewal is due all the same";
}

TEST_F(PresenceTest, AnAccountSpendsAQuarterOfItsSendsAtMost) {
  const auto account = AccountOf(CHANNEL_WHATSAPP, "read", "1", /*sends_per_second_max=*/8);
  for (int turn = 0; turn < 5; ++turn) static_cast<void>(Show(account));
  EXPECT_EQ(http_.count(), 2u);
  EXPECT_EQ(Counted("over_rate"), 3);
  Pass(milliseconds(500));
  for (int turn = 0; turn < 5; ++turn) static_cast<void>(Show(account));
  EXPECT_EQ(http_.count(), 3u);
  Pass(minutes(1));
  for (int turn = 0; turn < 5; ++turn) static_cast<void>(Show(account));
  EXPECT_EQ(http_.count(), 5u) << "what was not used is not saved up";
  static_cast<void>(Show(AccountOf(CHANNEL_WHATSAPP, "read", "2", 8)));
  EXPECT_EQ(http_.count(), 6u) << "another account has its own";
}

TEST_F(PresenceTest, WorkersShareAnAccountsQuarter) {
  Create({}, /*share=*/0.25);
  const auto account = AccountOf(CHANNEL_WHATSAPP, "read", "1", 80);
  for (int turn = 0; turn < 100; ++turn) static_cast<void>(Show(account));
  EXPECT_EQ(http_.count(), 5u);
}

TEST_F(PresenceTest, CallsInFlightAreBounded) {
  Create({.calls_max = 2});
  const auto account = AccountOf(CHANNEL_WHATSAPP, "read");
  for (int turn = 0; turn < 3; ++turn) static_cast<void>(Show(account));
  EXPECT_EQ(http_.count(), 2u);
  EXPECT_EQ(Counted("in_flight_max"), 1);
  http_.Leave(0);
  http_.Fail(1, absl::UnavailableError("away"));
  Pass({});
  for (int turn = 0; turn < 3; ++turn) static_cast<void>(Show(account));
  EXPECT_EQ(http_.count(), 4u);
}

TEST_F(PresenceTest, AnAccountThatIsRefusedAsAWholeIsLeftAlone) {
  int id = 0;
  for (const int code : {190, 0, 10, 200, 131005, 131031, 130429, 4}) {
    const auto account = AccountOf(CHANNEL_WHATSAPP, "typing", std::to_string(++id));
    const std::size_t before = http_.count();
    const auto shown = Show(account);
    RefuseCall(before, code);
    static_cast<void>(Show(account));
    Pass(seconds(299));
    EXPECT_EQ(http_.count(), before + 1) << code;
    static_cast<void>(Show(AccountOf(CHANNEL_WHATSAPP, "read", "other")));
    EXPECT_EQ(http_.count(), before + 2) << "others are not concerned";
    Pass(seconds(1));
    static_cast<void>(Show(account));
    EXPECT_GT(http_.count(), before + 2) << code;
  }
  EXPECT_GT(Counted("paused"), 0);
}

TEST_F(PresenceTest, AMessageOrUserThatIsRefusedIsNotRenewedAndNobodyElseIsConcerned) {
  const auto account = AccountOf(CHANNEL_MESSENGER);
  for (const auto& [code, subcode] : {std::pair(131009, 0), {551, 0}, {10, 2018278}, {100, 33}}) {
    const std::size_t before = http_.count();
    const auto shown = Show(account);
    RefuseCall(before, code, subcode);
    Pass(minutes(1));
    EXPECT_EQ(http_.count(), before + 2) << code;
  }
  EXPECT_EQ(Counted("refused", CHANNEL_MESSENGER), 4);
  EXPECT_EQ(Counted("paused", CHANNEL_MESSENGER), 0);
}

TEST_F(PresenceTest, WhatIsUnderWayMayOutliveIt) {
  auto shown = Show(AccountOf(CHANNEL_WHATSAPP));
  presence_.reset();
  http_.Leave(0);
  Pass(minutes(1));
  shown.End();
  EXPECT_EQ(http_.count(), 1u);
}

}  // namespace
}  // namespace worker
