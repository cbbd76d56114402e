// Replies that are more than text, that come too late for the platform, or that are long.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>

#include "tests/services/sender/send_lane_fixture.h"

namespace sender {
namespace {

using mesh::bus::v1::Reply;
using mesh::session::v1::OUTCOME_FAILED;
using mesh::session::v1::OUTCOME_SENT;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

Reply WithFile(const std::string& text, const std::string& link) {
  Reply reply;
  reply.set_text(text);
  reply.set_history_text(text + " ![](" + link + ")");
  reply.add_rich_parts()->mutable_media()->set_link(link);
  return reply;
}

class RichReplyTest : public SendLaneTest {
 protected:
  RichReplyTest() { world_.RunFor(hours(1)); }  // so that there is a time to have spoken at

  // An answer to what the user said so long ago.
  Reply SaidAgo(base::Duration ago, const std::string& text) const {
    Reply reply;
    reply.set_text(text);
    reply.set_user_spoke_at_ms(world_.WallMs() - base::ToMs(ago));
    reply.set_finish_reason(mesh::bus::v1::FINISH_REASON_END_OF_TURN);
    return reply;
  }
  // Nothing is taken with the first token; Renew brings one that is.
  void TokenIsDead() {
    world_.graph = [&](int) {
      return world_.account.access_token.Reveal() == "token" ? GraphBehaviour::kPark : GraphBehaviour::kAccept;
    };
  }
  void Renew() { world_.account.access_token = crypto::Secret("renewed"); }
  bool RunToNothingLeft() {
    return world_.RunUntil([&] { return world_.NothingLeft(); });
  }
  void HaveTemplate() {
    world_.account.reengage_template_name = "come_back";
    world_.account.reengage_template_language = "en_US";
  }
  void ExpectDead(bus::DeadLetterReason reason) const {
    ASSERT_EQ(world_.dead_letters.size(), 1u);
    EXPECT_EQ(world_.dead_letters[0].reason, reason);
  }
};

TEST_F(RichReplyTest, RichPartsFollowTheTextEachUnderItsOwnClaim) {
  world_.StartOwner();
  Reply reply = WithFile("one|two", "a.png");
  reply.add_rich_parts()->mutable_choices()->set_text("Which?");
  world_.Say("ann", "t1", reply);
  world_.Say("ann", "t2", "three");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one", "two", "a.png", "Which?", "three"));
  EXPECT_EQ(LedgerShape(), "TPCSCSCSCSPCS");
  EXPECT_EQ(world_.HistoryTextOf("t1"), "one|two ![](a.png)") << "as the model wrote it";
}

TEST_F(RichReplyTest, AnAnswerMayBeAFileAlone) {
  world_.StartOwner();
  world_.Say("ann", "t1", WithFile("", "a.png"));
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("a.png"));
  EXPECT_THAT(world_.OutcomesOf("t1"), Contains(OUTCOME_SENT));
}

// Text overtakes a file that the platform still fetches.
TEST_F(RichReplyTest, WhatFollowsAFileWaitsUntilAStatusSaysThatItWentOut) {
  world_.statuses_flow = false;
  world_.StartOwner();
  Reply reply = WithFile("", "a.png");
  reply.add_rich_parts()->mutable_choices()->set_text("Which?");
  world_.Say("ann", "t1", reply);
  world_.RunFor(seconds(2));
  ASSERT_THAT(world_.TextsOf("ann"), ElementsAre("a.png"));
  const World::Shown file = world_.shown[0];
  world_.TellStatus(file, mesh::bus::v1::DELIVERY_STATE_SENT);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.shown.size() == 2; }));
  world_.Say("bob", "t2", reply);
  const base::MonotonicTime before = world_.now;
  ASSERT_TRUE(world_.RunUntil([&] { return world_.TextsOf("bob").size() == 2; })) << "a status that never comes";
  EXPECT_GT(world_.now - before, seconds(4));
  EXPECT_LT(world_.now - before, seconds(8));
}

// The status comes within ten seconds, and is waited for five.
TEST_F(RichReplyTest, TheNextAnswerWaitsForAFileThatEndsTheOneBefore) {
  int by_status = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed);
    world.StartOwner();
    world.Say("ann", "t1", WithFile("", "a.png"));
    world.Say("ann", "t2", "next");
    ASSERT_TRUE(world.RunUntil([&] { return world.shown.size() == 1; }));
    const base::MonotonicTime before = world.now;
    ASSERT_TRUE(world.RunUntil([&] { return world.shown.size() == 2; }));
    EXPECT_THAT(world.TextsOf("ann"), ElementsAre("a.png", "next"));
    const ledger::PlannedTurn* const file = world.observer().Find({World::TurnId("t1"), 0});
    const bool is_told = file != nullptr && file->parts[0].delivery != mesh::bus::v1::DELIVERY_STATE_UNSPECIFIED;
    EXPECT_TRUE(is_told || world.now - before > seconds(4)) << seed;
    by_status += world.now - before < seconds(4);
  }
  EXPECT_GT(by_status, 3) << "it is not the end of the wait alone that lets the next one go";
}

TEST_F(RichReplyTest, AFileThatIsRefusedTakesNothingElseWithIt) {
  GraphDoes({GraphBehaviour::kAccept, GraphBehaviour::kFail});
  world_.StartOwner();
  Reply reply = WithFile("Look.", "gone.png");
  reply.add_rich_parts()->mutable_choices()->set_text("Which?");
  world_.Say("ann", "t1", reply);
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("Look.", "Which?"));
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_SENT));
  ExpectDead(bus::DeadLetterReason::kSendFailed);
}

TEST_F(RichReplyTest, AnAnswerOfAFileAloneThatIsRefusedHasFailed) {
  GraphDoes({GraphBehaviour::kFail});
  world_.StartOwner();
  world_.Say("ann", "t1", WithFile("", "gone.png"));
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_FAILED));
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("sorry"));
  ExpectDead(bus::DeadLetterReason::kSendFailed);
}

TEST_F(RichReplyTest, AFileThatIsRefusedUntilTheDeadlineTakesNothingElseWithIt) {
  world_.account.turn_deadline_s = 20;
  world_.graph = [&](int post) {
    // The question behind it is refused once as well, and has a deadline of its own.
    if (world_.shown.size() == 1 && world_.dead_letters.empty() && world_.Ledger().back().has_claim() &&
        LedgerShape().find('F') == std::string::npos) {
      return GraphBehaviour::kRefuse;
    }
    if (LedgerShape().ends_with("FC")) return GraphBehaviour::kRefuse;
    return post >= 0 ? GraphBehaviour::kAccept : GraphBehaviour::kFail;
  };
  world_.StartOwner();
  Reply reply = WithFile("Look.", "odd.png");
  reply.add_rich_parts()->mutable_choices()->set_text("Which?");
  world_.Say("ann", "t1", reply);
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("Look.", "Which?"));
  ExpectDead(bus::DeadLetterReason::kSendFailed);
}

TEST_F(RichReplyTest, WhatIsReadBeforeARefusedFileIsRead) {
  world_.refused_text = "gone.png";
  world_.statuses_flow = false;
  world_.StartOwner();
  world_.Say("ann", "t1", WithFile("Look.", "gone.png"));
  ASSERT_TRUE(RunToEnd());
  world_.TellStatus(world_.shown[0], mesh::bus::v1::DELIVERY_STATE_READ);
  world_.RunFor(seconds(5));
  EXPECT_EQ(world_.OutcomesOf("t1").back(), mesh::session::v1::OUTCOME_READ);
}

TEST_F(RichReplyTest, WhateverTheMomentASuccessorSaysWhatStandsBesideARefusedFile) {
  for (int events = 1; events < 120; ++events) {
    SCOPED_TRACE(testing::Message() << "killed after " << events << " events");
    World world(static_cast<std::uint64_t>(events));
    world.RunFor(hours(1));
    world.refused_text = "gone.png";
    Process& first = world.StartOwner();
    Reply reply = WithFile("Look.", "gone.png");
    reply.add_rich_parts()->mutable_choices()->set_text("Which?");
    world.Say("ann", "t1", reply);
    world.RunEvents(events);
    world.Kill(first);
    world.StartOwner();
    ASSERT_TRUE(world.RunUntil([&] { return world.AllDone(); }));
    ASSERT_THAT(world.TextsOf("ann"), ElementsAre("Look.", "Which?"));
  }
}

TEST_F(RichReplyTest, ADoubtThatOutlivesTheWindowIsNotSentAgain) {
  world_.account.in_doubt_policy = "resend";
  GraphDoes({GraphBehaviour::kAcceptAndDrop});
  world_.statuses_flow = false;
  Process& first = world_.StartOwner();
  world_.Say("ann", "t1", SaidAgo(minutes(1), "hello"));
  ASSERT_TRUE(world_.RunUntil([&] { return world_.shown.size() == 1; }));
  world_.Kill(first);
  world_.RunFor(hours(25));
  world_.StartOwner();
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("hello"));
  EXPECT_EQ(world_.InDoubtCount("park"), 1);
  EXPECT_THAT(world_.dead_letters, IsEmpty()) << "nobody knows that it was not shown";
}

TEST_F(RichReplyTest, ADoubtAboutAFileIsSettledByItsReplyId) {
  GraphDoes({GraphBehaviour::kAcceptAndDrop});
  world_.StartOwner();
  world_.Say("ann", "t1", WithFile("", "a.png"));
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("a.png"));
  EXPECT_EQ(world_.InDoubtCount("evidence"), 1);
}

TEST_F(RichReplyTest, AnAnswerInTimeIsSent) {
  world_.StartOwner();
  world_.Say("ann", "t1", SaidAgo(hours(23), "hello"));
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("hello"));
}

TEST_F(RichReplyTest, AnAnswerThatIsTooLateIsNotPostedAndEndsInTheDeadLetter) {
  world_.StartOwner();
  world_.Say("ann", "t1", SaidAgo(hours(24), "hello|more"));
  world_.Say("ann", "t2", "asked of whom nothing is known");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("asked of whom nothing is known"));
  EXPECT_EQ(world_.posts, 1);
  ExpectDead(bus::DeadLetterReason::kWindowClosed);
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_FAILED));
  EXPECT_EQ(world_.replies.size(), 2u) << "no notice, which would come too late as well";
}

TEST_F(RichReplyTest, AnAccountMayLeaveTheWindowToThePlatform) {
  world_.account.window_h = 0;
  world_.StartOwner();
  world_.Say("ann", "t1", SaidAgo(hours(30), "hello"));
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("hello"));
}

TEST_F(RichReplyTest, ATemplateIsSaidInPlaceOfAnAnswerThatIsTooLate) {
  HaveTemplate();
  world_.StartOwner();
  world_.Say("ann", "t1", SaidAgo(hours(24), "hello"));
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("come_back"));
  ExpectDead(bus::DeadLetterReason::kWindowClosed);
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_FAILED)) << "its words were not said";
}

TEST_F(RichReplyTest, ThePlatformsOwnWordThatItIsTooLateEndsAlike) {
  HaveTemplate();
  GraphDoes({GraphBehaviour::kTooLate});
  world_.StartOwner();
  world_.Say("ann", "t1", "hello|more");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("come_back"));
  EXPECT_EQ(LedgerShape(), "TPCFFPCS");
  ExpectDead(bus::DeadLetterReason::kWindowClosed);
}

TEST_F(RichReplyTest, ATemplateThatIsRefusedIsFollowedByNoOther) {
  HaveTemplate();
  world_.graph = [](int) { return GraphBehaviour::kTooLate; };
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(world_.posts, 2);
  EXPECT_EQ(world_.dead_letters.size(), 2u);
}

TEST_F(RichReplyTest, AWorkersNoticeThatIsTooLateHasTheTemplateToo) {
  HaveTemplate();
  world_.StartOwner();
  Reply notice = SaidAgo(hours(24), "sorry");
  notice.set_kind(mesh::bus::v1::REPLY_KIND_NOTICE);
  notice.clear_finish_reason();
  world_.Say("ann", "t1", notice);
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("come_back"));
  ExpectDead(bus::DeadLetterReason::kWindowClosed);
}

// "You will hear nothing more from us", two days late.
TEST_F(RichReplyTest, WhatThePolicySaysTooLateHasNoTemplate) {
  HaveTemplate();
  world_.StartOwner();
  Reply goodbye = SaidAgo(hours(48), "goodbye");
  goodbye.clear_finish_reason();
  world_.Say("ann", "t1", goodbye);
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.shown, IsEmpty());
  ExpectDead(bus::DeadLetterReason::kWindowClosed);
}

TEST_F(RichReplyTest, NobodyWhoWantsNoMessagesIsAskedToWriteAgain) {
  for (const auto policy : {mesh::bus::v1::DROP_POLICY_OPTED_OUT, mesh::bus::v1::DROP_POLICY_HANDOFF,
                            mesh::bus::v1::DROP_POLICY_COUNTRY, mesh::bus::v1::DROP_POLICY_SUPERSEDED}) {
    World world(/*seed=*/1);
    world.RunFor(hours(1));
    world.account.reengage_template_name = "come_back";
    world.graph = [&](int) {
      return world.account.access_token.Reveal() == "token" ? GraphBehaviour::kPark : GraphBehaviour::kAccept;
    };
    world.StartOwner();
    Reply reply;
    reply.set_text("hello");
    reply.set_user_spoke_at_ms(world.WallMs());
    reply.set_finish_reason(mesh::bus::v1::FINISH_REASON_END_OF_TURN);
    world.Say("ann", "t1", reply);
    world.Withdraw("ann", "t2", policy);
    world.RunFor(hours(25));
    world.account.access_token = crypto::Secret("renewed");
    ASSERT_TRUE(world.RunUntil([&] { return world.NothingLeft(); }));
    EXPECT_EQ(world.dead_letters.size(), 1u);
    EXPECT_EQ(world.shown.size(), policy == mesh::bus::v1::DROP_POLICY_SUPERSEDED ? 1u : 0u) << policy;
  }
}

// The sender was away for a day: the answer and the word that silenced the conversation are read together.
TEST_F(RichReplyTest, SilenceThatStandsBehindInTheLogCountsToo) {
  HaveTemplate();
  world_.Say("ann", "t1", SaidAgo(hours(25), "hello"));
  world_.Withdraw("ann", "t2", mesh::bus::v1::DROP_POLICY_HANDOFF);
  world_.StartOwner();
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.shown, IsEmpty());
  ExpectDead(bus::DeadLetterReason::kWindowClosed);
}

TEST_F(RichReplyTest, WhatIsSaidToACountryThatIsSwitchedOffHasNoTemplate) {
  HaveTemplate();
  world_.StartOwner();
  Reply notice = SaidAgo(hours(24), "not here");
  notice.set_kind(mesh::bus::v1::REPLY_KIND_NOTICE);
  notice.set_drop_policy(mesh::bus::v1::DROP_POLICY_COUNTRY);
  world_.Say("ann", "t1", notice);
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.shown, IsEmpty());
}

// Their templates stand behind one another at the end of a long log.
TEST_F(RichReplyTest, OfTwoTemplatesThatWereWrittenOneIsSent) {
  HaveTemplate();
  world_.StartOwner();
  world_.Say("ann", "t1", SaidAgo(hours(25), "hello"));
  ASSERT_TRUE(world_.RunUntil([&] { return world_.replies.size() == 2; }));
  Reply second;
  second.set_kind(mesh::bus::v1::REPLY_KIND_FALLBACK);
  second.add_rich_parts()->mutable_template_()->set_name("come_back");
  world_.Say("ann", "t2", second);
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("come_back"));
}

// Webhooks of three days, each answered after the one before is done.
TEST_F(RichReplyTest, OneTemplateADayIsEnough) {
  HaveTemplate();
  world_.StartOwner();
  for (const char* turn : {"t1", "t2", "t3"}) {
    world_.Say("ann", turn, SaidAgo(hours(72), turn));
    ASSERT_TRUE(RunToEnd());
  }
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("come_back"));
  EXPECT_EQ(world_.dead_letters.size(), 3u);
}

TEST_F(RichReplyTest, ARerunsSecondRecordDoesNotTakeTheTemplateAway) {
  HaveTemplate();
  world_.StartOwner();
  world_.Say("ann", "t1", SaidAgo(hours(24), "hello"));
  world_.Say("ann", "t1", SaidAgo(hours(24), "hello, once more"));
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("come_back"));
}

TEST_F(RichReplyTest, ASuccessorSaysTheTemplateToo) {
  for (int events = 1; events < 120; ++events) {
    SCOPED_TRACE(testing::Message() << "killed after " << events << " events");
    World world(static_cast<std::uint64_t>(events));
    world.RunFor(hours(1));
    world.account.reengage_template_name = "come_back";
    world.account.reengage_template_language = "en_US";
    Process& first = world.StartOwner();
    Reply reply;
    reply.set_text("hello");
    reply.set_user_spoke_at_ms(world.WallMs() - base::ToMs(hours(24)));
    reply.set_finish_reason(mesh::bus::v1::FINISH_REASON_END_OF_TURN);
    world.Say("ann", "t1", reply);
    world.RunEvents(events);
    world.Kill(first);
    world.StartOwner();
    ASSERT_TRUE(world.RunUntil([&] { return world.AllDone(); }));
    ASSERT_THAT(world.TextsOf("ann"), ElementsAre("come_back"));
  }
}

// A dead token for a day: what waits in `parked` is too late by then, and the user is told once.
TEST_F(RichReplyTest, ParkedRepliesThatComeBackTooLateAreNotSentAndOneTemplateTellsOfThem) {
  HaveTemplate();
  TokenIsDead();
  world_.StartOwner();
  for (const char* turn : {"t1", "t2"}) world_.Say("ann", turn, SaidAgo(minutes(1), turn));
  Reply busy = SaidAgo(minutes(1), "busy");
  busy.set_kind(mesh::bus::v1::REPLY_KIND_NOTICE);
  world_.Say("ann", "t3", busy);
  world_.RunFor(minutes(10));
  ASSERT_EQ(world_.parked.size(), 3u);
  world_.RunFor(hours(25));
  Renew();
  ASSERT_TRUE(RunToNothingLeft());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("come_back"));
  EXPECT_EQ(world_.dead_letters.size(), 3u);
}

TEST_F(RichReplyTest, AParkedReplyIsInTimeWhenTheUserHasSpokenSince) {
  TokenIsDead();
  world_.StartOwner();
  world_.Say("ann", "t1", SaidAgo(minutes(1), "old"));
  world_.RunFor(hours(20));
  world_.Say("ann", "t2", SaidAgo(minutes(1), "new"));
  world_.RunFor(hours(10));
  Renew();
  ASSERT_TRUE(RunToNothingLeft());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("old", "new"));
  EXPECT_THAT(world_.dead_letters, IsEmpty());
}

TEST_F(RichReplyTest, ARequeuedReplyAsksThePlatform) {
  world_.StartOwner();
  Reply reply = SaidAgo(hours(30), "again");
  reply.set_generation(1);
  world_.Say("ann", "t1", reply);
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("again"));
}

// 45 at once and one each six seconds: four long answers in a row have used that up, and the fifth would take minutes.
TEST_F(RichReplyTest, AnAnswerHasNoMorePartsThanCanBeSaidWithinTheDeadline) {
  world_.account.user_burst_max = 45;
  world_.account.user_sends_per_second_max = 1.0 / 6;
  world_.account.turn_deadline_s = 60;
  world_.StartOwner();
  std::string text = "1";
  for (int part = 2; part <= 20; ++part) text += "|" + std::to_string(part);
  for (const char* turn : {"t1", "t2", "t3"}) world_.Say("ann", turn, text);
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(world_.shown.size(), 20u + 20 + 15) << "the third has 5 of the burst left, and 10 in its minute";
  EXPECT_EQ(world_.shown.back().text, "15...");
}

}  // namespace
}  // namespace sender
