// Who answers: words of users, a person at work, users who opted out, countries that are off, and the disclosure.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/services/worker/turn_run_fixture.h"

namespace worker {
namespace {

using std::chrono::seconds;

constexpr char kControlFields[] = R"(    turn_deadline_s: 10
    notice_text: Sorry.
    busy_text: Too many people.
    handoff_text: A person comes.
    return_text: The bot is back.
    opt_out_text: Goodbye.
    opt_in_text: Hello again.
)";

class TurnControlTest : public TurnRunTest {
 protected:
  TurnControlTest() : TurnRunTest("turn_control_test", kControlFields) {}
  void UseAccount(const std::string& more) {
    accounts_ = AccountsOf("turn_control_test", std::string(kControlFields) + more);
  }
  void MakeUnreadable() {
    turn_.set_unreadable(true);
    turn_.set_type("unsupported");
    turn_.clear_text();
  }
  // What is in the log of a turn that gets no answer, where no other turn stands for it.
  void ExpectSilence(mesh::bus::v1::DropPolicy policy, const std::string& user_text = "hello") const {
    const std::vector<bus::OutgoingRecord> log = producer_.log();
    ASSERT_EQ(log.size(), 1u);
    mesh::bus::v1::ReplyRecord value;
    ASSERT_TRUE(value.ParseFromString(log[0].value));
    EXPECT_EQ(value.supersede().turn_id(), turn_.turn_id());
    EXPECT_EQ(value.supersede().by_turn_id(), "");
    EXPECT_EQ(value.supersede().policy(), policy);
    ASSERT_EQ(session_.appended.size(), 1u);
    EXPECT_EQ(session_.appended[0].turn().user_text(), user_text) << "a bot that returns knows the user's words";
    EXPECT_EQ(session_.appended[0].turn().reply_text(), "");
  }
};

TEST_F(TurnControlTest, WhileAPersonAnswersNothingIsSaidAndTheWordsAreKept) {
  EndlessEngine* const watched = UseEndlessEngine();
  session_.context.set_paused(true);
  EXPECT_TRUE(Run());
  ExpectSilence(mesh::bus::v1::DROP_POLICY_HANDOFF);
  EXPECT_FALSE(watched->WaitForSubmissions(1, seconds(0)));
  EXPECT_EQ(metrics_.turns.at("handoff").Value(), 1);
}

TEST_F(TurnControlTest, AUserWhoOptedOutHearsNothing) {
  session_.context.set_opted_out(true);
  EXPECT_TRUE(Run());
  ExpectSilence(mesh::bus::v1::DROP_POLICY_OPTED_OUT);
  EXPECT_EQ(metrics_.turns.at("opted_out").Value(), 1);
}

TEST_F(TurnControlTest, ACountryThatIsOffHearsNothing) {
  UseAccount("    country_prefixes_off: [49]\n");
  EXPECT_TRUE(Run());
  ExpectSilence(mesh::bus::v1::DROP_POLICY_COUNTRY);
  EXPECT_EQ(metrics_.turns.at("country").Value(), 1);
}

TEST_F(TurnControlTest, ACountryThatIsOffIsToldSoWhereThereIsAText) {
  UseAccount("    country_prefixes_off: [49]\n    country_off_text: Not here.\n");
  EXPECT_TRUE(Run());
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "Not here.");
  EXPECT_EQ(Replies()[0].kind(), mesh::bus::v1::REPLY_KIND_NOTICE);
  EXPECT_EQ(Replies()[0].drop_policy(), mesh::bus::v1::DROP_POLICY_COUNTRY) << "for audit";
  EXPECT_EQ(metrics_.turns.at("country").Value(), 1);
}

TEST_F(TurnControlTest, AWordIsAppliedWithItsPlaceInTheLogBeforeItsTextIsSaid) {
  turn_.set_control(mesh::bus::v1::CONTROL_ACTION_PAUSE);
  session_.on_control = [this] { EXPECT_TRUE(producer_.log().empty()); };
  auto task = Task();
  task->record.offset = 7;
  const auto run = TurnRun::Start(Context(), task, OnDone());
  EXPECT_TRUE(WaitForEnd());
  ASSERT_EQ(session_.controls.size(), 1u);
  EXPECT_EQ(session_.controls[0].action(), mesh::bus::v1::CONTROL_ACTION_PAUSE);
  EXPECT_EQ(session_.controls[0].turns_offset(), 7);
  EXPECT_EQ(session_.controls[0].conversation().user(), turn_.conversation().user());
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "A person comes.");
  EXPECT_EQ(Replies()[0].kind(), mesh::bus::v1::REPLY_KIND_ANSWER);
  EXPECT_EQ(metrics_.turns.at("answered").Value(), 1);
}

TEST_F(TurnControlTest, AWordWaitsForSessionAndIsSaidOnce) {
  turn_.set_control(mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  session_.control_failures = {absl::UnavailableError("away"), absl::DeadlineExceededError("slow")};
  EXPECT_TRUE(Run());
  EXPECT_EQ(session_.controls.size(), 3u);
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "Goodbye.");
  EXPECT_EQ(metrics_.retries.at("session").Value(), 2);
}

TEST_F(TurnControlTest, WhatSessionRefusesForGoodDoesNotHoldTheLane) {
  turn_.set_control(mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  session_.control_failures = {absl::InvalidArgumentError("no")};
  EXPECT_TRUE(Run());
  EXPECT_EQ(Replies().size(), 1u);
}

// A webhook that Meta sends again stands later in the log, where it would undo what the user has said since.
TEST_F(TurnControlTest, ARetriedWebhookOfAWordChangesNothing) {
  turn_.set_control(mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  session_.context.set_done(true);
  EXPECT_TRUE(Run());
  EXPECT_TRUE(session_.controls.empty());
  EXPECT_TRUE(producer_.log().empty());
}

TEST_F(TurnControlTest, TheWordsThatTakeBackAreHonouredInSilence) {
  turn_.set_control(mesh::bus::v1::CONTROL_ACTION_OPT_IN);
  session_.context.set_opted_out(true);
  EXPECT_TRUE(Run());
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "Hello again.");
}

TEST_F(TurnControlTest, AWordWithoutATextIsAppliedAndDroppedByItsPolicy) {
  accounts_ = AccountsOf("turn_control_test", "    opt_out_text:\n");
  turn_.set_control(mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  EXPECT_TRUE(Run());
  EXPECT_EQ(session_.controls.size(), 1u);
  ExpectSilence(mesh::bus::v1::DROP_POLICY_OPTED_OUT);
}

TEST_F(TurnControlTest, NoOtherTurnTakesThePlaceOfAWord) {
  turn_.set_control(mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  EXPECT_FALSE(DescribeTurn(Task()->record, *accounts_->current(), clock_.Now()).is_user_turn);
}

TEST_F(TurnControlTest, WhatCannotBeReadIsAnsweredByTheAccountsText) {
  UseAccount("    unreadable_text: I cannot read that.\n    unsupported_text: Text, please.\n");
  EndlessEngine* const watched = UseEndlessEngine();
  MakeUnreadable();
  EXPECT_TRUE(Run());
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "I cannot read that.");
  EXPECT_EQ(Replies()[0].kind(), mesh::bus::v1::REPLY_KIND_ANSWER);
  EXPECT_FALSE(watched->WaitForSubmissions(1, seconds(0)));
  ASSERT_EQ(session_.appended.size(), 1u);
  EXPECT_EQ(session_.appended[0].turn().user_text(), "[The user sent something without text: unsupported]");
  EXPECT_EQ(session_.appended[0].turn().reply_text(), "I cannot read that.");
}

TEST_F(TurnControlTest, WhoHasJustBeenToldIsNotToldAgain) {
  UseAccount("    unreadable_text: I cannot read that.\n    history_tokens_max: 0\n");
  session_.context.add_history()->set_reply_text("I cannot read that.");
  MakeUnreadable();
  EXPECT_TRUE(Run());
  ExpectSilence(mesh::bus::v1::DROP_POLICY_UNREADABLE, "[The user sent something without text: unsupported]");
  EXPECT_EQ(metrics_.turns.at("unreadable").Value(), 1);
  ASSERT_EQ(session_.asked.size(), 1u);
  EXPECT_GT(session_.asked[0].history_tokens_max(), 0) << "also where the model is shown no history";
}

TEST_F(TurnControlTest, WhatCannotBeReadTakesNoQuestionsPlace) {
  MakeUnreadable();
  EXPECT_FALSE(DescribeTurn(Task()->record, *accounts_->current(), clock_.Now()).is_user_turn);
}

// The shedder decides before anybody has asked who answers.
TEST_F(TurnControlTest, AUserWhomAPersonAnswersIsNotToldThatTheBotIsBusy) {
  session_.context.set_paused(true);
  const auto run = TurnRun::StartDropped(Context(), Task(), {.reason = DropReason::kShed}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  ExpectSilence(mesh::bus::v1::DROP_POLICY_HANDOFF);
}

TEST_F(TurnControlTest, ATurnWithALaterOneInItsPlaceIsDroppedForThat) {
  session_.context.set_paused(true);
  const auto run = TurnRun::StartDropped(Context(), Task(), {DropReason::kMerged, "the later turn"}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  ExpectDropped(mesh::bus::v1::DROP_POLICY_MERGED);
}

TEST_F(TurnControlTest, TheDisclosureIsPartOfWhatWasSaid) {
  UseAccount("    disclosure_text: I am a machine.\n");
  EXPECT_TRUE(Run());
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "I am a machine.\n\necho: hello");
  ASSERT_EQ(session_.appended.size(), 1u);
  EXPECT_EQ(session_.appended[0].turn().reply_text(), Replies()[0].text());
}

TEST_F(TurnControlTest, TheDisclosureStandsBeforeANoticeToo) {
  UseAccount("    disclosure_text: I am a machine.\n");
  const auto run = TurnRun::StartDropped(Context(), Task(), {.reason = DropReason::kShed}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "I am a machine.\n\nToo many people.");
}

// Written again, it is the same record.
TEST_F(TurnControlTest, AReplyThatIsWrittenAgainDisclosesOnce) {
  UseAccount("    disclosure_text: I am a machine.\n");
  std::atomic<int> refusals = 0;
  producer_.FailWhen([&](const bus::OutgoingRecord&) {
    return ++refusals <= 2 ? absl::UnavailableError("broker is away") : absl::OkStatus();
  });
  EXPECT_TRUE(Run());
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "I am a machine.\n\necho: hello");
}

}  // namespace
}  // namespace worker
