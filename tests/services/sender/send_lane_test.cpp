// One sender process in a made-up world: what happens to a reply, case by case. How it ends: send_lane_end_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/services/sender/send_lane_fixture.h"

namespace sender {
namespace {

using mesh::bus::v1::REPLY_KIND_NOTICE;
using mesh::session::v1::OUTCOME_FAILED;
using mesh::session::v1::OUTCOME_SENT;
using mesh::session::v1::OUTCOME_SUPERSEDED;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(SendLaneTest, AReplyIsPlannedClaimedSentAndReported) {
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("hello"));
  EXPECT_EQ(LedgerShape(), "TPCS");
  EXPECT_THAT(world_.OutcomesOf("t1"), Contains(OUTCOME_SENT));
  const auto claim = world_.Ledger()[2].claim();
  EXPECT_EQ(claim.term(), 0) << "the offset of the TAKEOVER";
  EXPECT_EQ(world_.Ledger()[3].sent().message_id(), "wamid.0");
}

TEST_F(SendLaneTest, PartsGoOneAfterTheOtherEachUnderItsOwnClaim) {
  world_.StartOwner();
  world_.Say("ann", "t1", "one|two|three");
  world_.Say("ann", "t2", "four");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one", "two", "three", "four"));
  EXPECT_EQ(LedgerShape(), "TPCSCSCSPCS");
}

TEST_F(SendLaneTest, LaterRecordsOfATurnAreIgnored) {
  world_.StartOwner();
  world_.Say("ann", "t1", "said first");
  world_.Say("ann", "t1", "said by a re-run in other words");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("said first"));
}

// Bug 1 of the audit: a worker gave up, died, and its re-run answered; the user was told both.
TEST_F(SendLaneTest, AWorkersNoticeAndARerunsAnswerCompeteAndTheFirstIsSaid) {
  world_.StartOwner();
  world_.Say("ann", "t1", "sorry", 0, REPLY_KIND_NOTICE);
  world_.Say("ann", "t1", "answered by the re-run");
  world_.Say("bob", "t2", "answered");
  world_.Say("bob", "t2", "sorry", 0, REPLY_KIND_NOTICE);
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("sorry"));
  EXPECT_THAT(world_.TextsOf("bob"), ElementsAre("answered"));
  EXPECT_THAT(world_.OutcomesOf("t1"), Contains(OUTCOME_SENT)) << "the notice is the turn's reply";
}

TEST_F(SendLaneTest, ARequeuedGenerationIsSaidAgain) {
  world_.StartOwner();
  world_.Say("ann", "t1", "lost");
  world_.Say("ann", "t1", "requeued", /*generation=*/1);
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("lost", "requeued"));
}

TEST_F(SendLaneTest, TheReportCarriesTheFirstRecordsWordsAndWhereTheyStand) {
  world_.StartOwner();
  world_.Say("ann", "t0", "before");
  world_.Say("ann", "t1", "one|two");
  world_.Say("ann", "t1", "other words");
  world_.Say("ann", "t1", "said again", /*generation=*/1);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.AllDone(); }));
  bool of_first = false;
  bool of_second = false;
  for (const auto& report : world_.reported) {
    EXPECT_NE(report.reply_text(), "other words");
    if (report.turn_id() != World::TurnId("t1") || report.reply_text().empty()) continue;
    of_first |= report.generation() == 0 && report.replies_offset() == 1 && report.reply_text() == "one|two";
    of_second |= report.generation() == 1 && report.replies_offset() == 3 && report.reply_text() == "said again";
  }
  EXPECT_TRUE(of_first);
  EXPECT_TRUE(of_second) << "a requeued generation has an outcome of its own";
}

TEST_F(SendLaneTest, RecordsWaitForSessionUpToABoundAndSendsDoNot) {
  world_.options.lane.unreported_span_max = 10;
  world_.session_away = true;
  world_.StartOwner();
  for (int i = 0; i < 30; ++i) world_.Say("u" + std::to_string(i % 3), "t" + std::to_string(i), "hello");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.shown.size() == 30; }));
  world_.RunFor(std::chrono::minutes(5));
  EXPECT_TRUE(world_.reported.empty());
  ASSERT_EQ(world_.done.size(), 20u) << "all but the newest ten";
  EXPECT_EQ(*world_.done.rbegin(), 19);
  world_.session_away = false;
  ASSERT_TRUE(world_.RunUntil([&] { return world_.AllDone(); }));
  EXPECT_GE(world_.reported.size(), 30u) << "also the outcomes of those that were marked done before";
}

TEST_F(SendLaneTest, ASenderThatDiesWhileSessionIsAwayIsFollowedByOneThatReports) {
  world_.session_away = true;
  Process& first = world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.shown.size() == 1; }));
  world_.RunFor(std::chrono::minutes(5));
  world_.Kill(first);
  world_.session_away = false;
  world_.StartOwner();
  ASSERT_TRUE(world_.RunUntil([&] { return world_.AllDone(); }));
  EXPECT_EQ(world_.HistoryTextOf("t1"), "hello");
  EXPECT_THAT(world_.OutcomesOf("t1"), Contains(mesh::session::v1::OUTCOME_DELIVERED));
  EXPECT_EQ(world_.shown.size(), 1u);
}

TEST_F(SendLaneTest, EvidenceThatCameWhileNobodyOwnedThePartitionIsReported) {
  Process& first = world_.StartOwner();
  world_.statuses_flow = false;
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.AllDone(); }));
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_SENT));
  world_.Kill(first);
  mesh::bus::v1::DeliveryStatus status;
  status.set_reply_id_hex(world_.shown[0].reply_id_hex);
  status.set_state(mesh::bus::v1::DELIVERY_STATE_READ);
  const ledger::LedgerEntry evidence = ledger::MakeEvidence(status, 0);
  world_.ledger.emplace_back(evidence.key, evidence.record);
  world_.StartOwner();
  world_.RunFor(std::chrono::minutes(1));
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_SENT, mesh::session::v1::OUTCOME_READ));
}

TEST_F(SendLaneTest, OneSlowUserDoesNotHoldUpAnother) {
  world_.account.user_sends_per_second_max = 1.0 / 6;
  world_.account.user_burst_max = 1;
  world_.StartOwner();
  for (const char* turn : {"a1", "a2", "a3"}) world_.Say("ann", turn, turn);
  world_.Say("bob", "b1", "b1");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.TextsOf("bob").size() == 1; }));
  EXPECT_LT(world_.now, base::MonotonicTime(seconds(2)));
  ASSERT_TRUE(RunToEnd());
  EXPECT_GE(world_.now, base::MonotonicTime(seconds(12))) << "two waits of 6 s";
}

TEST_F(SendLaneTest, ASenderTakesTheShareOfItsPartitionsOfAnAccountsRate) {
  world_.account.sends_per_second_max = 8;
  world_.StartOwner().core().SetPartitionsTotal(4);  // it has one of them: two a second
  for (int user = 0; user < 12; ++user) world_.Say("u" + std::to_string(user), "t" + std::to_string(user), "hello");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.shown.size() == 12; }));
  EXPECT_GE(world_.now, base::MonotonicTime(seconds(5))) << "two at once, ten at two a second";
  EXPECT_LE(world_.now, base::MonotonicTime(seconds(7)));
}

TEST_F(SendLaneTest, NoMoreIsClaimedThanCanBePostedAndAllAreServedInTurn) {
  world_.options.sends_in_flight_max = 2;
  world_.StartOwner();
  for (int user = 0; user < 30; ++user) world_.Say("u" + std::to_string(user), "t" + std::to_string(user), "hello");
  std::size_t claimed_max = 0;
  ASSERT_TRUE(world_.RunUntil([&] {
    std::map<std::string, int> claimed;
    for (const auto& record : world_.Ledger()) {
      if (record.has_claim()) ++claimed[record.claim().reply_id()];
      if (record.has_sent()) claimed.erase(record.sent().reply_id());
    }
    claimed_max = std::max(claimed_max, claimed.size());
    return world_.AllDone();
  }));
  EXPECT_EQ(world_.shown.size(), 30u);
  EXPECT_LE(claimed_max, 4u) << "two under way, and two answered whose SENT is not in the log yet";
  EXPECT_EQ(LedgerShape().find('R'), std::string::npos) << "no claim grew old";
}

// Goal: an account whose host takes no connections, so that each try holds a slot for the connect timeout, does not
// keep another account's replies waiting.
TEST_F(SendLaneTest, AnAccountWhoseHostIsAwayLeavesRoomForTheOthers) {
  world_.options.sends_in_flight_max = 8;
  world_.hosts_away = {"2002"};
  world_.StartOwner();
  for (int user = 0; user < 100; ++user) {
    const std::string name = "away" + std::to_string(user);
    world_.account_of_user[name] = "2002";
    world_.Say(name, "a" + std::to_string(user), "hello");
  }
  world_.RunFor(seconds(2));
  for (int round = 0; round < 20; ++round) {
    for (int user = 0; user < 4; ++user) {
      world_.Say("u" + std::to_string(user), "t" + std::to_string(round * 4 + user), "hello");
    }
    world_.RunFor(seconds(1));
    ASSERT_EQ(world_.shown.size(), static_cast<std::size_t>(round + 1) * 4) << "each within a second, round " << round;
  }
}

TEST_F(SendLaneTest, ARefusalForNowGivesTheClaimBackAndTriesAgain) {
  GraphDoes({GraphBehaviour::kRefuse, GraphBehaviour::kUnreachable});
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(LedgerShape(), "TPCRCRCS");
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("hello"));
}

// 135000: the message itself, more likely than the platform (channels.md 3.2).
TEST_F(SendLaneTest, WhatIsToBeTriedOnceMoreIsGivenUpAtItsSecondRefusal) {
  GraphDoes({GraphBehaviour::kRefuseOnce, GraphBehaviour::kRefuseOnce});
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  world_.Say("ann", "t2", "the next one");
  ASSERT_TRUE(RunToEnd(seconds(10)));
  EXPECT_EQ(world_.posts, 3);
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("the next one"));
  ASSERT_EQ(world_.dead_letters.size(), 1u);
  EXPECT_EQ(world_.dead_letters[0].reason, bus::DeadLetterReason::kSendFailed);
}

TEST_F(SendLaneTest, SupersedeDropsAReplyThatWaitsUnclaimed) {
  world_.account.user_sends_per_second_max = 1.0 / 6;
  world_.account.user_burst_max = 1;
  world_.StartOwner();
  world_.Say("ann", "t1", "one");
  world_.Say("ann", "t2", "two");
  world_.RunFor(seconds(2));  // t2 is planned and waits for the pair rate
  world_.Withdraw("ann", "t2");
  world_.Say("ann", "t3", "three");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one", "three"));
  EXPECT_THAT(world_.OutcomesOf("t2"), Contains(OUTCOME_SUPERSEDED));
}

// Simulation, seed 11054: the successor knew the withdrawal from the ledger alone, and went on with the second part.
TEST_F(SendLaneTest, ASuccessorSendsNoPartOfAReplyOfWhichOneWasDropped) {
  world_.account.user_sends_per_second_max = 1.0 / 6;
  world_.account.user_burst_max = 1;
  Process& first = world_.StartOwner();
  world_.Say("ann", "t1", "one");
  world_.Say("ann", "t2", "two|three");
  world_.RunFor(seconds(2));  // t2 is planned and waits for the pair rate
  world_.Withdraw("ann", "t2");
  ASSERT_TRUE(world_.RunUntil([&] { return LedgerShape().ends_with('D'); }));
  world_.Kill(first);
  world_.StartOwner();
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one"));
  EXPECT_THAT(world_.OutcomesOf("t2"), Contains(OUTCOME_SUPERSEDED));
}

TEST_F(SendLaneTest, SupersedeComesTooLateOnceAClaimStands) {
  GraphDoes({GraphBehaviour::kDrop});
  world_.StartOwner();
  world_.Say("ann", "t1", "one");
  world_.RunFor(seconds(2));  // in doubt
  world_.Withdraw("ann", "t1");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one"));
  EXPECT_TRUE(world_.dropped.empty()) << "`audit` must not say that it was dropped";
}

// A worker's earlier life had its reply sent; the re-run is withdrawn, and a sender knows it from the ledger alone.
TEST_F(SendLaneTest, ASuccessorDoesNotCallDroppedWhatAnEarlierLifeHadSent) {
  Process& first = world_.StartOwner();
  world_.Say("ann", "t1", "one");
  world_.Say("ann", "t2", "two");
  ASSERT_TRUE(RunToEnd());
  world_.Kill(first);
  world_.StartOwner();
  world_.Withdraw("ann", "t1");
  world_.Withdraw("ann", "t3");  // never said
  ASSERT_TRUE(RunToEnd());
  ASSERT_EQ(world_.dropped.size(), 1u);
  EXPECT_EQ(world_.dropped[0].turn_id(), World::TurnId("t3"));
  EXPECT_EQ(world_.dropped[0].by_turn_id(), World::TurnId("t3+"));
  EXPECT_EQ(world_.dropped[0].conversation().user(), "ann");
  EXPECT_EQ(world_.dropped[0].policy(), mesh::bus::v1::DROP_POLICY_SUPERSEDED);
  EXPECT_EQ(world_.dropped[0].replies_offset(), 3);
}

TEST_F(SendLaneTest, ADropByAPolicyIsToldToAuditWithNobodyInItsPlace) {
  world_.StartOwner();
  mesh::bus::v1::ReplyRecord record;
  record.mutable_supersede()->set_turn_id(World::TurnId("t1"));
  *record.mutable_supersede()->mutable_conversation() = world_.Conversation("ann");
  record.mutable_supersede()->set_policy(mesh::bus::v1::DROP_POLICY_HANDOFF);
  world_.AppendRaw(identity::KeyOf(world_.Conversation("ann")).value(), record.SerializeAsString());
  world_.Say("ann", "t1", "by a worker that did not know");
  world_.Say("ann", "t2", "two");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("two"));
  ASSERT_EQ(world_.dropped.size(), 1u);
  EXPECT_EQ(world_.dropped[0].turn_id(), World::TurnId("t1"));
  EXPECT_EQ(world_.dropped[0].by_turn_id(), "");
  EXPECT_EQ(world_.dropped[0].policy(), mesh::bus::v1::DROP_POLICY_HANDOFF);
}

// The worker that shed the turn may die and answer it in its next life: only the notice that was said counts.
TEST_F(SendLaneTest, ANoticeThatStandsForAPolicyIsToldToAuditAndALaterOneIsNot) {
  world_.StartOwner();
  const auto shed = [&](const std::string& turn) {
    mesh::bus::v1::ReplyRecord record;
    record.mutable_reply()->set_turn_id(World::TurnId(turn));
    *record.mutable_reply()->mutable_conversation() = world_.Conversation("ann");
    record.mutable_reply()->set_text("too many");
    record.mutable_reply()->set_kind(REPLY_KIND_NOTICE);
    record.mutable_reply()->set_drop_policy(mesh::bus::v1::DROP_POLICY_SHED);
    world_.AppendRaw(identity::KeyOf(world_.Conversation("ann")).value(), record.SerializeAsString());
  };
  shed("t1");
  world_.Say("ann", "t1", "one");
  world_.Say("ann", "t2", "two");
  shed("t2");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("too many", "two"));
  ASSERT_EQ(world_.dropped.size(), 1u);
  EXPECT_EQ(world_.dropped[0].turn_id(), World::TurnId("t1"));
  EXPECT_EQ(world_.dropped[0].policy(), mesh::bus::v1::DROP_POLICY_SHED);
}

TEST_F(SendLaneTest, SupersedeBeforeTheReplyMakesEveryLaterRecordOfTheTurnADuplicate) {
  world_.StartOwner();
  world_.Withdraw("ann", "t1");
  ASSERT_TRUE(RunToEnd());
  world_.Say("ann", "t1", "by a worker that did not know");
  world_.Say("ann", "t2", "two");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("two"));
  EXPECT_THAT(world_.OutcomesOf("t1"), Contains(OUTCOME_SUPERSEDED));
}

// Bug 11 of the audit: a supersede named the answer of generation 0 alone.
TEST_F(SendLaneTest, SupersedeNamesEveryGenerationAndAWorkersNotice) {
  world_.account.user_sends_per_second_max = 1.0 / 6;
  world_.account.user_burst_max = 1;
  world_.StartOwner();
  world_.Say("ann", "t0", "zero");
  world_.Say("ann", "t1", "sorry", 0, REPLY_KIND_NOTICE);
  world_.Say("ann", "t1", "requeued", /*generation=*/1);
  world_.RunFor(seconds(2));  // both wait
  world_.Withdraw("ann", "t1");
  world_.Say("ann", "t2", "two");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("zero", "two"));
}

TEST_F(SendLaneTest, AGenerationThatComesAfterTheSupersedeIsDroppedByASuccessorToo) {
  GraphDoes({GraphBehaviour::kFail});
  Process& first = world_.StartOwner();
  world_.Say("ann", "t1", "cannot be sent");
  ASSERT_TRUE(RunToEnd());
  world_.Withdraw("ann", "t1");
  ASSERT_TRUE(RunToEnd());
  world_.Kill(first);
  world_.StartOwner();
  world_.Say("ann", "t1", "requeued", /*generation=*/1);
  world_.Say("ann", "t2", "two");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("two"));
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_FAILED, OUTCOME_SUPERSEDED));
}

TEST_F(SendLaneTest, ASupersedeThatComesTooLateDoesNotCallTheSentReplySuperseded) {
  world_.StartOwner();
  world_.Say("ann", "t1", "one");
  ASSERT_TRUE(RunToEnd());
  world_.Withdraw("ann", "t1");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.OutcomesOf("t1"), testing::Not(Contains(OUTCOME_SUPERSEDED)));
}

TEST_F(SendLaneTest, TheSendersNoticeIsOwedAlsoOfASupersededTurn) {
  world_.account.turn_deadline_s = 20;
  world_.graph = [&](int) { return world_.dead_letters.empty() ? GraphBehaviour::kRefuse : GraphBehaviour::kAccept; };
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.replies.size() == 2; }));
  world_.Withdraw("ann", "t1");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("sorry"));
}

TEST_F(SendLaneTest, SupersedeOfAQueuedReplyIsMetAgainAfterACrash) {
  world_.account.user_sends_per_second_max = 0.1;
  world_.account.user_burst_max = 1;
  Process& first = world_.StartOwner();
  world_.Say("ann", "t1", "one");
  world_.Say("ann", "t2", "two");
  world_.Say("ann", "t3", "three");
  world_.RunFor(seconds(2));
  world_.Withdraw("ann", "t3");
  world_.RunFor(seconds(1));
  EXPECT_FALSE(world_.done.contains(3)) << "the supersede is not done before what it names";
  world_.Kill(first);
  world_.StartOwner();
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one", "two"));
}

TEST_F(SendLaneTest, ANumberThatMovedToAnotherTenantDoesNotSayTheFirstTenantsWords) {
  world_.account.tenant = "other";
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.shown, IsEmpty());
  ASSERT_EQ(world_.dead_letters.size(), 1u);
  EXPECT_EQ(world_.dead_letters[0].reason, bus::DeadLetterReason::kUnknownAccount);
}

TEST_F(SendLaneTest, AForeignTakeoverStopsNewSendsUntilThePartitionIsTakenBack) {
  Process& first = world_.StartOwner();
  world_.Say("ann", "t1", "one");
  ASSERT_TRUE(RunToEnd());
  world_.RunFor(seconds(30));
  // Somebody takes the ledger over and dies at once; the first one is still the group's choice.
  Process& second = world_.StartOwner();
  world_.RunFor(seconds(1));
  world_.Kill(second);
  EXPECT_EQ(first.metrics().fenced.Value(), 1);
  EXPECT_EQ(first.core().unowned_count(), 1u);
  world_.Reassign(first);
  world_.Say("ann", "t2", "two");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one", "two"));
}

TEST_F(SendLaneTest, DrainFinishesWhatIsClaimedAndBeginsNothing) {
  Process& process = world_.StartOwner();
  world_.Say("ann", "t1", "one|two");
  world_.Say("bob", "t2", "three");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.posts == 1; }));
  process.core().Drain();
  world_.RunFor(seconds(5));
  EXPECT_EQ(process.core().busy_count(), 0u);
  for (const auto& record : world_.Ledger()) {
    if (!record.has_claim()) continue;
    bool settled = false;
    for (const auto& later : world_.Ledger())
      settled |= later.has_sent() && later.sent().reply_id() == record.claim().reply_id();
    EXPECT_TRUE(settled) << "a claim is left behind, which costs the next owner a doubt";
  }
  world_.Kill(process);
  world_.StartOwner();
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one", "two"));
  EXPECT_THAT(world_.TextsOf("bob"), ElementsAre("three"));
  EXPECT_EQ(world_.InDoubtCount("resend") + world_.InDoubtCount("evidence"), 0);
}

TEST_F(SendLaneTest, AReplyForAChannelWithoutSendsIsRefusedForGood) {
  world_.StartOwner();
  mesh::bus::v1::ReplyRecord record;
  auto conversation = world_.Conversation("ann");
  conversation.set_channel(mesh::bus::v1::CHANNEL_WEB);
  record.mutable_reply()->set_turn_id(World::TurnId("t1"));
  *record.mutable_reply()->mutable_conversation() = conversation;
  record.mutable_reply()->set_text("nobody reads this");
  world_.AppendRaw(identity::KeyOf(conversation).value(), record.SerializeAsString());
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(LedgerShape(), "T");
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_FAILED)) << "it is nowhere that a user could see it";
  ASSERT_EQ(world_.dead_letters.size(), 1u);
  EXPECT_EQ(world_.dead_letters[0].reason, bus::DeadLetterReason::kUnknownAccount);
}

}  // namespace
}  // namespace sender
