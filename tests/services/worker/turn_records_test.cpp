// Records that change a conversation: who answers, and what the user took back.
#include <gtest/gtest.h>

#include <string>

#include "tests/services/worker/turn_run_fixture.h"

namespace worker {
namespace {

class TurnRecordsTest : public TurnRunTest {
 protected:
  void BeControl(mesh::bus::v1::ControlAction action) {
    turn_.set_kind(mesh::bus::v1::TURN_KIND_CONTROL);
    turn_.set_type("take_thread_control");
    turn_.set_control(action);
    turn_.clear_text();
  }
  void BeUnsend() {
    turn_.set_kind(mesh::bus::v1::TURN_KIND_UNSEND);
    turn_.set_target_turn_id(identity::MakeTurnId(turn_.conversation(), "wamid.0").value());
    turn_.clear_text();
  }
  bool RunAt(std::int64_t offset) {
    auto task = Task();
    task->record.offset = offset;
    const auto run = TurnRun::Start(Context(), task, OnDone());
    return WaitForEnd();
  }
};

TEST_F(TurnRecordsTest, AControlRecordIsToldToSessionUntilItHasItAndAnsweredByNobody) {
  BeControl(mesh::bus::v1::CONTROL_ACTION_PAUSE);
  session_.control_failures = {absl::UnavailableError("away"), absl::DeadlineExceededError("slow")};
  EXPECT_TRUE(RunAt(17));
  ASSERT_EQ(session_.controls.size(), 3u);
  EXPECT_EQ(session_.controls[2].conversation().user(), "491700000001");
  EXPECT_EQ(session_.controls[2].action(), mesh::bus::v1::CONTROL_ACTION_PAUSE);
  EXPECT_EQ(session_.controls[2].turns_offset(), 17);
  EXPECT_EQ(session_.controls[2].turn_id(), turn_.turn_id()) << "its retried webhook changes nothing";
  EXPECT_TRUE(session_.appended.empty());
  EXPECT_FALSE(session_fails_);
  EXPECT_EQ(metrics_.turns.at("event").Value(), 1);
}

// So that it asks nobody to write again who is to hear nothing (SendLane::OwesReengagement).
TEST_F(TurnRecordsTest, TheSenderIsToldWhoIsToHearNothing) {
  const std::pair<mesh::bus::v1::ControlAction, mesh::bus::v1::DropPolicy> kSilent[] = {
      {mesh::bus::v1::CONTROL_ACTION_PAUSE, mesh::bus::v1::DROP_POLICY_HANDOFF},
      {mesh::bus::v1::CONTROL_ACTION_OPT_OUT, mesh::bus::v1::DROP_POLICY_OPTED_OUT}};
  for (const auto& [action, policy] : kSilent) {
    BeControl(action);
    EXPECT_TRUE(Run());
    mesh::bus::v1::ReplyRecord record;
    ASSERT_TRUE(record.ParseFromString(producer_.log().back().value));
    EXPECT_EQ(record.supersede().turn_id(), turn_.turn_id());
    EXPECT_EQ(record.supersede().policy(), policy);
  }
  const std::size_t told = producer_.log().size();
  BeControl(mesh::bus::v1::CONTROL_ACTION_RESUME);
  EXPECT_TRUE(Run());
  EXPECT_EQ(producer_.log().size(), told);
}

TEST_F(TurnRecordsTest, WhatSessionRefusesForGoodDoesNotHoldItsLane) {
  BeControl(mesh::bus::v1::CONTROL_ACTION_RESUME);
  session_.control_failures = {absl::InvalidArgumentError("no")};
  EXPECT_TRUE(Run());
  EXPECT_EQ(session_.controls.size(), 1u);
  BeUnsend();
  session_.unsend_failures = {absl::InvalidArgumentError("no")};
  EXPECT_TRUE(Run());
  EXPECT_EQ(session_.unsent.size(), 1u);
  EXPECT_TRUE(producer_.log().empty());
}

TEST_F(TurnRecordsTest, AnActionOfANewerVersionWaitsInTheDeadLetter) {
  BeControl(static_cast<mesh::bus::v1::ControlAction>(77));
  EXPECT_TRUE(Run());
  EXPECT_EQ(DeadLetterReason(), "unknown_schema");
  EXPECT_TRUE(session_.controls.empty());
}

TEST_F(TurnRecordsTest, AMessageThatIsAControlWordTellsSessionBeforeItIsAnswered) {
  turn_.set_control(mesh::bus::v1::CONTROL_ACTION_RESUME);
  session_.control_failures = {absl::UnavailableError("away")};
  EXPECT_TRUE(RunAt(17));
  ASSERT_EQ(session_.controls.size(), 2u);
  EXPECT_EQ(session_.controls[1].turns_offset(), 17);
  EXPECT_EQ(session_.controls[1].turn_id(), "") << "whether it is done LoadContext has told";
  EXPECT_EQ(Replies().size(), 1u);
}

TEST_F(TurnRecordsTest, AMessageThatIsFinishedControlsNothingAgain) {
  turn_.set_control(mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  session_.context.set_done(true);
  EXPECT_TRUE(Run());
  EXPECT_TRUE(session_.controls.empty());
}

TEST_F(TurnRecordsTest, AControlWordCountsAlthoughALaterMessageTookItsPlace) {
  turn_.set_control(mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  const auto run = TurnRun::StartDropped(Context(), Task(), {DropReason::kSuperseded, "the later turn"}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(session_.controls.size(), 1u);
  ExpectDropped(mesh::bus::v1::DROP_POLICY_SUPERSEDED);
}

TEST_F(TurnRecordsTest, AnUnsendIsToldToSessionUntilItHasIt) {
  BeUnsend();
  session_.unsend_failures = {absl::UnavailableError("away")};
  EXPECT_TRUE(Run());
  ASSERT_EQ(session_.unsent.size(), 2u);
  EXPECT_EQ(session_.unsent[1].conversation().user(), "491700000001");
  EXPECT_EQ(session_.unsent[1].turn_id(), turn_.target_turn_id());
  EXPECT_TRUE(producer_.log().empty());
}

// The unsend came first: an earlier life of the lane, or a retried webhook, has told session.
TEST_F(TurnRecordsTest, AMessageThatSessionKnowsAsUnsentIsNotAnsweredAndLeavesNoWords) {
  EndlessEngine* const watched = UseEndlessEngine();
  session_.context.set_unsent(true);
  EXPECT_TRUE(Run());
  EXPECT_FALSE(watched->WaitForSubmissions(1, std::chrono::seconds(0)));
  const std::vector<bus::OutgoingRecord> log = producer_.log();
  ASSERT_EQ(log.size(), 1u);
  mesh::bus::v1::ReplyRecord value;
  ASSERT_TRUE(value.ParseFromString(log[0].value));
  EXPECT_EQ(value.supersede().turn_id(), turn_.turn_id());
  EXPECT_EQ(value.supersede().by_turn_id(), "");
  EXPECT_EQ(value.supersede().policy(), mesh::bus::v1::DROP_POLICY_UNSENT);
  ASSERT_EQ(session_.appended.size(), 1u) << "finished, so that a retried webhook is not answered";
  EXPECT_EQ(session_.appended[0].turn().user_text(), "");
  EXPECT_EQ(session_.appended[0].turn().user_tokens(), 0);
  EXPECT_EQ(metrics_.turns.at("unsent").Value(), 1);
}

}  // namespace
}  // namespace worker
