// One sender process in a made-up world: what happens to a reply, case by case.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "tests/services/sender/fake_world.h"

namespace sender {
namespace {

using mesh::bus::v1::REPLY_KIND_NOTICE;
using mesh::session::v1::OUTCOME_DELIVERED;
using mesh::session::v1::OUTCOME_FAILED;
using mesh::session::v1::OUTCOME_SENT;
using mesh::session::v1::OUTCOME_SUPERSEDED;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class SendLaneTest : public testing::Test {
 protected:
  // The sequence of ledger record kinds, for instance "TPCS": takeover, plan, claim, sent. Evidence is left out.
  std::string LedgerShape() const {
    std::string shape;
    for (const auto& record : world_.Ledger()) {
      if (record.has_takeover()) shape += 'T';
      if (record.has_plan()) shape += 'P';
      if (record.has_claim()) shape += 'C';
      if (!record.has_sent()) continue;
      constexpr char kOutcome[] = "?SFDRK";  // sent, failed, dropped (superseded), released, parked
      shape += kOutcome[record.sent().outcome()];
    }
    return shape;
  }
  bool RunToEnd(base::Duration limit = std::chrono::hours(2)) {
    return world_.RunUntil([&] { return world_.AllDone(); }, limit);
  }
  void GraphDoes(std::vector<GraphBehaviour> first, GraphBehaviour then = GraphBehaviour::kAccept) {
    world_.graph = [first = std::move(first), then](int post) {
      return static_cast<std::size_t>(post) < first.size() ? first[static_cast<std::size_t>(post)] : then;
    };
  }

  World world_{/*seed=*/1};
};

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

TEST_F(SendLaneTest, AWorkersNoticeThatCannotBeSentIsFollowedByNoOther) {
  world_.account.turn_deadline_s = 20;
  world_.graph = [&](int) { return GraphBehaviour::kRefuse; };
  world_.StartOwner();
  world_.Say("ann", "t1", "sorry", 0, REPLY_KIND_NOTICE);
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(world_.replies.size(), 1u);
  EXPECT_EQ(world_.dead_letters.size(), 1u);
}

TEST_F(SendLaneTest, ARequeuedGenerationIsSaidAgain) {
  world_.StartOwner();
  world_.Say("ann", "t1", "lost");
  world_.Say("ann", "t1", "requeued", /*generation=*/1);
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("lost", "requeued"));
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

TEST_F(SendLaneTest, ARefusalForNowGivesTheClaimBackAndTriesAgain) {
  GraphDoes({GraphBehaviour::kRefuse, GraphBehaviour::kUnreachable});
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(LedgerShape(), "TPCRCRCS");
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("hello"));
}

TEST_F(SendLaneTest, RefusedPastTheDeadlineEndsInTheDeadLetterWithANotice) {
  world_.account.turn_deadline_s = 20;
  world_.graph = [&](int) {
    return world_.now < base::MonotonicTime(seconds(25)) ? GraphBehaviour::kRefuse : GraphBehaviour::kAccept;
  };
  world_.StartOwner();
  world_.Say("ann", "t1", "hello|more");
  ASSERT_TRUE(RunToEnd());
  ASSERT_EQ(world_.dead_letters.size(), 1u);
  EXPECT_EQ(world_.dead_letters[0].reason, bus::DeadLetterReason::kDeadline);
  EXPECT_EQ(world_.dead_letters[0].origin.value, world_.replies[0].value);
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("sorry"));
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_FAILED))
      << "the notice's own send says nothing about the answer";
}

TEST_F(SendLaneTest, RefusedForGoodEndsInTheDeadLetterWithoutANotice) {
  GraphDoes({GraphBehaviour::kFail});
  world_.StartOwner();
  world_.Say("ann", "t1", "hello|more");
  world_.Say("ann", "t2", "next");
  ASSERT_TRUE(RunToEnd());
  ASSERT_EQ(world_.dead_letters.size(), 1u);
  EXPECT_EQ(world_.dead_letters[0].reason, bus::DeadLetterReason::kSendFailed);
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("next"));
  EXPECT_EQ(LedgerShape(), "TPCFFPCS");
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_FAILED));
}

// Bug 4 of the audit: the successor claimed and sent what came after the part that had failed.
TEST_F(SendLaneTest, ASuccessorGivesUpAReplyOfWhichAPartHasFailed) {
  GraphDoes({GraphBehaviour::kFail});
  Process& first = world_.StartOwner();
  world_.Say("ann", "t1", "hello|more");
  world_.Say("ann", "t2", "next");
  ASSERT_TRUE(world_.RunUntil([&] { return LedgerShape().find('F') != std::string::npos; }));
  world_.Kill(first);
  world_.StartOwner();
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("next"));
  ASSERT_EQ(world_.dead_letters.size(), 1u);
  EXPECT_EQ(world_.dead_letters[0].reason, bus::DeadLetterReason::kSendFailed);
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_FAILED));
}

TEST_F(SendLaneTest, ASuccessorOfAReplyWhoseTimeRanOutSaysTheNoticeAndNothingElse) {
  world_.account.turn_deadline_s = 20;
  world_.graph = [&](int) {
    return LedgerShape().find('F') == std::string::npos ? GraphBehaviour::kRefuse : GraphBehaviour::kAccept;
  };
  Process& first = world_.StartOwner();
  world_.Say("ann", "t1", "hello|more");
  ASSERT_TRUE(world_.RunUntil([&] { return LedgerShape().find('F') != std::string::npos; }));
  world_.Kill(first);
  world_.StartOwner();
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("sorry"));
  ASSERT_EQ(world_.dead_letters.size(), 1u);
  EXPECT_EQ(world_.dead_letters[0].reason, bus::DeadLetterReason::kDeadline);
}

TEST_F(SendLaneTest, DeadTokenHoldsTheAccountsRepliesInOrderUntilANewOneComes) {
  world_.graph = [&](int) {
    return world_.account.access_token.Reveal() == "token" ? GraphBehaviour::kPark : GraphBehaviour::kAccept;
  };
  Process& process = world_.StartOwner();
  world_.Say("ann", "t1", "one");
  world_.Say("ann", "t2", "two");
  world_.Say("bob", "t3", "three");
  world_.RunFor(minutes(20));
  process.core().Tick();
  EXPECT_THAT(world_.shown, IsEmpty());
  EXPECT_THAT(world_.dead_letters, IsEmpty()) << "longer than any deadline, and nothing is given up";
  EXPECT_EQ(process.metrics().parked_accounts.Value(), 1);
  EXPECT_LE(world_.posts, 2 + 20 * 2) << "one probe every 30 s, not a storm";
  world_.account.access_token = crypto::Secret("renewed");
  ASSERT_TRUE(RunToEnd(seconds(10)));
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one", "two"));
  EXPECT_THAT(world_.TextsOf("bob"), ElementsAre("three"));
}

TEST_F(SendLaneTest, LostAnswerIsSettledByEvidenceAndNeverSentTwice) {
  GraphDoes({GraphBehaviour::kAcceptAndDrop});
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("hello"));
  EXPECT_EQ(LedgerShape(), "TPCS") << "found: SENT is written for those who read no evidence";
  EXPECT_EQ(world_.InDoubtCount("evidence"), 1);
  EXPECT_THAT(world_.OutcomesOf("t1"), Contains(OUTCOME_DELIVERED));
}

TEST_F(SendLaneTest, SilenceIsResentOnceAndMarked) {
  GraphDoes({GraphBehaviour::kDrop});
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(RunToEnd());
  EXPECT_GE(world_.now, base::MonotonicTime(seconds(45)));
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("hello"));
  EXPECT_EQ(LedgerShape(), "TPCCS");
  EXPECT_EQ(world_.Ledger()[3].claim().resends(), 1u);
  EXPECT_EQ(world_.InDoubtCount("resend"), 1);
}

TEST_F(SendLaneTest, SilenceAfterTheResendIsParkedWhole) {
  GraphDoes({GraphBehaviour::kDrop, GraphBehaviour::kDrop});
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  world_.Say("ann", "t2", "next");
  ASSERT_TRUE(RunToEnd());
  ASSERT_EQ(world_.parked.size(), 1u);
  EXPECT_EQ(world_.parked[0].value, world_.replies[0].value);
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("next"));
}

// Bug 5 of the audit: parking left no trace in the ledger, so a successor sent the reply behind its followers' backs.
TEST_F(SendLaneTest, ASuccessorNeitherSendsNorLosesAParkedReply) {
  world_.account.in_doubt_policy = "park";
  for (const bool copied : {false, true}) {
    SCOPED_TRACE(copied ? "killed before the commit" : "killed before the copy to `parked`");
    const std::string turn = copied ? "t1" : "t2";
    const std::string user = copied ? "ann" : "bob";
    GraphDoes({}, GraphBehaviour::kDrop);
    Process& first = world_.StartOwner();
    const std::size_t parked = world_.parked.size();
    world_.Say(user, turn, "hello|more");
    ASSERT_TRUE(
        world_.RunUntil([&] { return copied ? world_.parked.size() > parked : LedgerShape().ends_with("KK"); }));
    world_.Kill(first);
    world_.account.in_doubt_policy = "resend";
    GraphDoes({});
    world_.StartOwner();
    world_.Say(user, turn + "+", "next");
    ASSERT_TRUE(RunToEnd());
    EXPECT_THAT(world_.TextsOf(user), ElementsAre("next"));
    ASSERT_GT(world_.parked.size(), parked);
    mesh::bus::v1::ReplyRecord copy;
    ASSERT_TRUE(copy.ParseFromString(world_.parked.back().value));
    EXPECT_EQ(copy.reply().turn_id(), World::TurnId(turn));
    world_.account.in_doubt_policy = "park";
  }
}

TEST_F(SendLaneTest, EvidenceThatComesAfterParkingIsToldAndSendsNothing) {
  world_.account.in_doubt_policy = "park";
  world_.statuses_flow = false;
  GraphDoes({GraphBehaviour::kAcceptAndDrop});
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(RunToEnd());
  ASSERT_EQ(world_.parked.size(), 1u);
  world_.TellStatus(world_.shown.at(0), mesh::bus::v1::DELIVERY_STATE_DELIVERED);
  world_.RunFor(minutes(1));
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_DELIVERED));
  EXPECT_EQ(world_.posts, 1);
}

TEST_F(SendLaneTest, PolicyParkNeverResends) {
  world_.account.in_doubt_policy = "park";
  GraphDoes({GraphBehaviour::kDrop});
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(world_.posts, 1);
  EXPECT_EQ(world_.parked.size(), 1u);
  EXPECT_EQ(world_.InDoubtCount("park"), 1);
}

// Bug 3 of the audit: a sender that owns no statuses took the silence of another one, which had stalled, for an answer.
TEST_F(SendLaneTest, DoubtIsNotDecidedWhileWhoeverOwnsTheStatusesHasNotReadThem) {
  GraphDoes({GraphBehaviour::kAcceptAndDrop});
  world_.StallStatuses(minutes(10));
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  world_.RunFor(minutes(9));
  EXPECT_EQ(world_.posts, 1);
  EXPECT_FALSE(world_.AllDone());
  ASSERT_TRUE(RunToEnd(seconds(90)));
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("hello"));
  EXPECT_EQ(world_.InDoubtCount("evidence"), 1);
}

TEST_F(SendLaneTest, DoubtStandsStillWhileTheBrokerIsAway) {
  GraphDoes({GraphBehaviour::kAcceptAndDrop});
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(world_.RunUntil([&] { return world_.shown.size() == 1; }));
  world_.BreakBroker(minutes(10));  // the status is refused, and repeated when the broker is back
  ASSERT_TRUE(RunToEnd());
  EXPECT_GE(world_.now, base::MonotonicTime(minutes(10)));
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("hello"));
  EXPECT_EQ(world_.InDoubtCount("evidence"), 1);
}

TEST_F(SendLaneTest, SilenceIsDecidedInItsTimeAlsoWhenTheStatusesAreReadLate) {
  world_.StallStatuses(minutes(10));
  GraphDoes({GraphBehaviour::kAccept, GraphBehaviour::kDrop});
  world_.StartOwner();
  world_.Say("bob", "t1", "whose status waits");
  world_.RunFor(seconds(15));
  world_.Say("ann", "t2", "hello");
  world_.RunFor(minutes(9));
  EXPECT_EQ(world_.posts, 2);
  // What was read late covers the time in which it waited: no second wait for it.
  ASSERT_TRUE(RunToEnd(seconds(60)));
  EXPECT_EQ(world_.posts, 3);
  EXPECT_LE(world_.now, base::MonotonicTime(minutes(10) + seconds(10)));
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

TEST_F(SendLaneTest, SupersedeComesTooLateOnceAClaimStands) {
  GraphDoes({GraphBehaviour::kDrop});
  world_.StartOwner();
  world_.Say("ann", "t1", "one");
  world_.RunFor(seconds(2));  // in doubt
  world_.Withdraw("ann", "t1");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one"));
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

TEST_F(SendLaneTest, UnknownAccountUndecodableAndMisplacedRecordsGoToTheDeadLetterWhole) {
  world_.account_configured = false;
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  world_.AppendRaw("key", "\xff not a protobuf");
  mesh::bus::v1::ReplyRecord misplaced;
  misplaced.mutable_reply()->set_turn_id(World::TurnId("t2"));
  *misplaced.mutable_reply()->mutable_conversation() = world_.Conversation("ann");
  world_.AppendRaw("another conversation's key", misplaced.SerializeAsString());
  misplaced.mutable_reply()->set_turn_id("short");
  world_.AppendRaw(identity::KeyOf(world_.Conversation("ann")).value(), misplaced.SerializeAsString());
  ASSERT_TRUE(RunToEnd());
  std::map<bus::DeadLetterReason, int> reasons;
  for (const auto& dead : world_.dead_letters) {
    ++reasons[dead.reason];
    EXPECT_EQ(dead.origin.value, world_.replies.at(static_cast<std::size_t>(dead.origin.offset)).value);
  }
  EXPECT_EQ(reasons[bus::DeadLetterReason::kUnknownAccount], 1);
  EXPECT_EQ(reasons[bus::DeadLetterReason::kUndecodable], 2);
  EXPECT_EQ(reasons[bus::DeadLetterReason::kKeyMismatch], 1);
  EXPECT_THAT(world_.shown, IsEmpty());
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

TEST_F(SendLaneTest, AReplyForAChannelWithoutSendsIsDoneAtOnce) {
  world_.StartOwner();
  mesh::bus::v1::ReplyRecord record;
  auto conversation = world_.Conversation("ann");
  conversation.set_channel(mesh::bus::v1::CHANNEL_WEB);
  record.mutable_reply()->set_turn_id(World::TurnId("t1"));
  *record.mutable_reply()->mutable_conversation() = conversation;
  record.mutable_reply()->set_text("read from the relay");
  world_.AppendRaw(identity::KeyOf(conversation).value(), record.SerializeAsString());
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(LedgerShape(), "T");
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_SENT));
}

}  // namespace
}  // namespace sender
