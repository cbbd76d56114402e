// How a reply ends that is not simply sent: in doubt, parked, given up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "libs/base/hex.h"
#include "libs/bus/topics.h"
#include "tests/services/sender/send_lane_fixture.h"

namespace sender {
namespace {

using mesh::bus::v1::REPLY_KIND_NOTICE;
using mesh::session::v1::OUTCOME_DELIVERED;
using mesh::session::v1::OUTCOME_FAILED;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(SendLaneTest, AWorkersNoticeThatCannotBeSentIsFollowedByNoOther) {
  world_.account.turn_deadline_s = 20;
  world_.graph = [&](int) { return GraphBehaviour::kRefuse; };
  world_.StartOwner();
  world_.Say("ann", "t1", "sorry", 0, REPLY_KIND_NOTICE);
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(world_.replies.size(), 1u);
  EXPECT_EQ(world_.dead_letters.size(), 1u);
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

// The user stands in the platform's message ids and in the conversation: a log line names neither.
TEST_F(SendLaneTest, TheLogNamesAccountAndTurnOfARefusalAndNotTheUser) {
  GraphDoes({GraphBehaviour::kFail});
  mesh::bus::v1::Reply reply;
  reply.set_text("hello");
  reply.set_in_reply_to_message_id("wamid.of-zoe");
  world_.StartOwner();
  testing::internal::CaptureStderr();
  world_.Say("zoe", "t1", reply);
  const bool ended = RunToEnd();
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(ended);
  const std::size_t begin = log.find("\"event\":\"send_refused\"");
  ASSERT_NE(begin, std::string::npos) << log;
  const std::string line = log.substr(begin, log.find('\n', begin) - begin);
  EXPECT_THAT(line, HasSubstr("\"account\":\"1001\""));
  EXPECT_THAT(line, HasSubstr("\"turn\":\"" + base::ToHex(World::TurnId("t1")) + "\""));
  EXPECT_THAT(log, testing::Not(HasSubstr("zoe")));
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

// Bug 6 of the audit: whatever the broker refused was tried again for ever, without a word.
TEST_F(SendLaneTest, AReplyTooLargeToBePlannedIsADeadLetterWithANotice) {
  world_.refuse = [](std::string_view topic, std::size_t bytes) {
    return topic == bus::kSendLedger && bytes > 1000 ? absl::InvalidArgumentError("too large") : absl::OkStatus();
  };
  world_.StartOwner();
  world_.Say("ann", "t1", std::string(2000, 'x'));
  world_.Say("ann", "t2", "next");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("next", "sorry"));
  ASSERT_EQ(world_.dead_letters.size(), 1u);
  EXPECT_EQ(world_.dead_letters[0].reason, bus::DeadLetterReason::kTooLarge);
  EXPECT_THAT(world_.OutcomesOf("t1"), ElementsAre(OUTCOME_FAILED));
}

TEST_F(SendLaneTest, AReplyTooLargeForParkedIsADeadLetter) {
  world_.account.in_doubt_policy = "park";
  world_.refuse = [](std::string_view topic, std::size_t) {
    return topic == bus::kParked ? absl::InvalidArgumentError("too large") : absl::OkStatus();
  };
  GraphDoes({GraphBehaviour::kDrop});
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  world_.Say("ann", "t2", "next");
  ASSERT_TRUE(RunToEnd());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("next"));
  ASSERT_EQ(world_.dead_letters.size(), 1u);
  EXPECT_EQ(world_.dead_letters[0].reason, bus::DeadLetterReason::kTooLarge);
}

TEST_F(SendLaneTest, ANoticeTooLargeToBeWrittenLeavesTheDeadLetter) {
  world_.account.turn_deadline_s = 20;
  world_.graph = [](int) { return GraphBehaviour::kRefuse; };
  world_.refuse = [](std::string_view topic, std::size_t) {
    return topic == bus::kReplies ? absl::InvalidArgumentError("too large") : absl::OkStatus();
  };
  world_.StartOwner();
  world_.Say("ann", "t1", "hello");
  ASSERT_TRUE(RunToEnd());
  EXPECT_EQ(world_.dead_letters.size(), 1u);
}

using SendLaneDeathTest = SendLaneTest;

TEST_F(SendLaneDeathTest, ATopicThatTheBrokerDeniesIsSaidAndNotTriedForEver) {
  for (const std::string_view denied : {bus::kSendLedger, bus::kDeadLetter, bus::kParked, bus::kReplies}) {
    SCOPED_TRACE(denied);
    World world(/*seed=*/1);
    world.refuse = [denied](std::string_view topic, std::size_t) {
      return topic == denied ? absl::PermissionDeniedError("denied") : absl::OkStatus();
    };
    world.account.in_doubt_policy = "park";
    world.account.turn_deadline_s = 20;
    world.graph = [denied](int) { return denied == bus::kParked ? GraphBehaviour::kDrop : GraphBehaviour::kRefuse; };
    const auto run = [&] {
      world.StartOwner();
      world.Say("ann", "t1", "hello");
      world.RunUntil([&] { return world.AllDone(); });
    };
    EXPECT_DEATH(run(), std::string(denied) + ".*WRITE right");
  }
}

TEST_F(SendLaneDeathTest, ADeadLetterThatTheBrokerFindsTooLargeIsSaid) {
  GraphDoes({GraphBehaviour::kFail});
  world_.refuse = [](std::string_view topic, std::size_t) {
    return topic == bus::kDeadLetter ? absl::InvalidArgumentError("too large") : absl::OkStatus();
  };
  const auto run = [&] {
    world_.StartOwner();
    world_.Say("ann", "t1", "hello");
    RunToEnd();
  };
  EXPECT_DEATH(run(), "dead-letter.*max.message.bytes");
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

}  // namespace
}  // namespace sender
