// A turn that is not answered: another stands for it, or there is no time for it.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/services/worker/turn_run_fixture.h"

namespace worker {
namespace {

using std::chrono::seconds;
using TurnDropTest = TurnRunTest;

TEST_F(TurnDropTest, ATurnThatIsDroppedWhileItGeneratesStopsAndSaysNothing) {
  EndlessEngine* const watched = UseEndlessEngine();
  const auto run = TurnRun::Start(Context(), Task(), OnDone());
  ASSERT_TRUE(watched->WaitForSubmissions(1));
  loop_.RunSync([&] {
    ASSERT_TRUE(run->may_be_dropped());
    run->Drop({DropReason::kSuperseded, "the later turn"});
    EXPECT_FALSE(run->may_be_dropped()) << "one turn takes its place, not two";
  });
  EXPECT_TRUE(WaitForEnd());
  ExpectDropped(mesh::bus::v1::DROP_POLICY_SUPERSEDED);
  EXPECT_EQ(metrics_.turns.at("superseded").Value(), 1);
}

TEST_F(TurnDropTest, ATurnThatIsDroppedBeforeItStartsNeverReachesTheEngine) {
  EndlessEngine* const watched = UseEndlessEngine();
  const auto run = TurnRun::StartDropped(Context(), Task(), {DropReason::kMerged, "the later turn"}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  ExpectDropped(mesh::bus::v1::DROP_POLICY_MERGED);
  EXPECT_FALSE(watched->WaitForSubmissions(1, seconds(0)));
}

TEST_F(TurnDropTest, ADropIsDoneOnlyWhenItsRecordStands) {
  std::atomic<int> reports = 0;
  producer_.FailWhen([&](const bus::OutgoingRecord&) {
    return ++reports % 2 == 1 ? absl::UnavailableError("broker is away") : absl::OkStatus();
  });
  const auto run = TurnRun::StartDropped(Context(), Task(), {DropReason::kOverflow, "the later turn"}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  ExpectDropped(mesh::bus::v1::DROP_POLICY_OVERFLOW);
}

TEST_F(TurnDropTest, ATurnThatWasAnsweredInAnEarlierLifeIsNotDropped) {
  session_.context.set_done(true);
  const auto run = TurnRun::StartDropped(Context(), Task(), {DropReason::kSuperseded, "the later turn"}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_TRUE(producer_.log().empty());
}

TEST_F(TurnDropTest, WhatMayStandInTheLogAlreadyCannotBeDropped) {
  producer_.Hold(true);
  const auto run = TurnRun::Start(Context(), Task(), OnDone());
  ASSERT_TRUE(producer_.WaitForProduced(1));
  loop_.RunSync([&] { EXPECT_FALSE(run->may_be_dropped()); });
  producer_.Hold(false);
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(Replies().size(), 1u);
}

TEST_F(TurnDropTest, ATurnThatStandsForTooManyGetsTheAccountsText) {
  accounts_ = AccountsOf("turn_run_test", std::string(kAccountFields) + "    overflow_text: One at a time.\n");
  auto task = Task();
  task->stands_for_too_many = true;
  const auto run = TurnRun::Start(Context(), task, OnDone());
  EXPECT_TRUE(WaitForEnd());
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "One at a time.");
  EXPECT_EQ(Replies()[0].kind(), mesh::bus::v1::REPLY_KIND_ANSWER);
}

// Its user is told, the record has the policy for audit, and the turn is finished like any other: a retried webhook
// finds it so.
TEST_F(TurnDropTest, AShedTurnTellsItsUserAndNeverReachesTheEngine) {
  EndlessEngine* const watched = UseEndlessEngine();
  const auto run = TurnRun::StartDropped(Context(), Task(), {.reason = DropReason::kShed}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_FALSE(watched->WaitForSubmissions(1, seconds(0)));
  const std::vector<bus::OutgoingRecord> log = producer_.log();
  ASSERT_EQ(log.size(), 1u) << "no dead letter, no supersede";
  EXPECT_EQ(Replies().at(0).kind(), mesh::bus::v1::REPLY_KIND_NOTICE);
  EXPECT_EQ(Replies().at(0).text(), "Too many people.");
  EXPECT_EQ(Replies().at(0).drop_policy(), mesh::bus::v1::DROP_POLICY_SHED);
  ASSERT_EQ(session_.appended.size(), 1u);
  EXPECT_EQ(session_.appended[0].turn().reply_text(), "Too many people.");
  EXPECT_EQ(metrics_.turns.at("shed").Value(), 1);
  EXPECT_EQ(metrics_.turns.at("answered").Value() + metrics_.turns.at("dead_letter").Value(), 0);
}

TEST_F(TurnDropTest, AShedTurnThatWasAnsweredInAnEarlierLifeTellsNobody) {
  session_.context.set_done(true);
  const auto run = TurnRun::StartDropped(Context(), Task(), {.reason = DropReason::kShed}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_TRUE(producer_.log().empty());
}

TEST_F(TurnDropTest, AShedTurnsNoticeWaitsForTheBrokerAndIsSaidOnce) {
  std::atomic<int> refusals = 0;
  producer_.FailWhen([&](const bus::OutgoingRecord&) {
    return ++refusals <= 2 ? absl::UnavailableError("broker is away") : absl::OkStatus();
  });
  const auto run = TurnRun::StartDropped(Context(), Task(), {.reason = DropReason::kShed}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(Replies().size(), 1u);
  EXPECT_EQ(session_.appended.size(), 1u);
}

}  // namespace
}  // namespace worker
