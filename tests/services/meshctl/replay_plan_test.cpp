#include "services/meshctl/replay_plan.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "libs/bus/headers.h"
#include "libs/identity/identity.h"
#include "libs/ledger/ledger_record.h"

namespace meshctl {
namespace {

constexpr std::int64_t kNowMs = 1'800'000'000'000;
constexpr std::int64_t kPassedTurns = 100;
constexpr std::int64_t kPassedReplies = 50;

// One conversation whose log is written record by record; the plan reads it as it comes.
class ReplayPlanTest : public testing::Test {
 protected:
  ReplayPlanTest()
      : conversation_(Conversation("ann", mesh::bus::v1::CHANNEL_WHATSAPP)),
        plan_(identity::KeyOf(conversation_).value(), {}, {kPassedTurns, kPassedReplies}) {}

  static mesh::bus::v1::ConversationId Conversation(const std::string& user, mesh::bus::v1::Channel channel) {
    mesh::bus::v1::ConversationId id;
    id.set_tenant("acme");
    id.set_channel(channel);
    id.set_account("1001");
    id.set_user(user);
    return id;
  }
  std::string TurnId(const std::string& message) const { return identity::MakeTurnId(conversation_, message).value(); }
  bus::Record RecordOf(const char* topic, std::int64_t offset, const google::protobuf::Message& value) const {
    return {.topic = topic,
            .partition = 3,
            .offset = offset,
            .key = identity::KeyOf(conversation_).value(),
            .value = value.SerializeAsString(),
            .headers = {{"ce_id", "the first"}},
            .timestamp_ms = written_at_ms_};
  }
  void Turn(std::int64_t offset, const std::string& message, std::uint32_t generation = 0,
            mesh::bus::v1::TurnKind kind = mesh::bus::v1::TURN_KIND_MESSAGE) {
    mesh::bus::v1::Turn turn;
    *turn.mutable_conversation() = conversation_;
    turn.set_turn_id(TurnId(message));
    turn.set_message_id(message);
    turn.set_kind(kind);
    turn.set_text("words");
    bus::Record record = RecordOf("mesh.turns", offset, turn);
    if (generation > 0) record.headers.emplace_back(std::string(bus::kGenerationHeader), std::to_string(generation));
    plan_.OnTurn(record);
  }
  void Unsend(std::int64_t offset, const std::string& message) {
    mesh::bus::v1::Turn turn;
    *turn.mutable_conversation() = conversation_;
    turn.set_turn_id(TurnId("unsend of " + message));
    turn.set_kind(mesh::bus::v1::TURN_KIND_UNSEND);
    turn.set_target_turn_id(TurnId(message));
    plan_.OnTurn(RecordOf("mesh.turns", offset, turn));
  }
  void Reply(std::int64_t offset, const std::string& message, std::uint32_t generation = 0) {
    mesh::bus::v1::ReplyRecord reply;
    *reply.mutable_reply() = ReplyTo(message, generation);
    plan_.OnReply(RecordOf("mesh.replies", offset, reply));
  }
  void Supersede(std::int64_t offset, const std::string& message) {
    mesh::bus::v1::ReplyRecord record;
    *record.mutable_supersede()->mutable_conversation() = conversation_;
    record.mutable_supersede()->set_turn_id(TurnId(message));
    plan_.OnReply(RecordOf("mesh.replies", offset, record));
  }
  void Plan(std::int64_t offset, const std::string& message, std::uint32_t generation = 0) {
    plan_.OnLedger(RecordOf(offset, PlanOf(message, generation)));
  }
  ledger::LedgerEntry PlanOf(const std::string& message, std::uint32_t generation = 0) const {
    std::vector<mesh::bus::v1::OutboundPart> parts(1);
    parts[0].set_text("words");
    return ledger::MakePlan(ReplyTo(message, generation), parts, /*replies_offset=*/0, /*term=*/1, 0);
  }
  mesh::bus::v1::Reply ReplyTo(const std::string& message, std::uint32_t generation = 0) const {
    mesh::bus::v1::Reply reply;
    *reply.mutable_conversation() = conversation_;
    reply.set_turn_id(TurnId(message));
    reply.set_generation(generation);
    return reply;
  }
  bus::Record RecordOf(std::int64_t offset, const ledger::LedgerEntry& entry) const {
    bus::Record record = RecordOf("mesh.send-ledger", offset, entry.record);
    record.key = entry.key;
    return record;
  }
  void Sent(std::int64_t offset, const std::string& message) {
    const auto id = identity::MakeReplyId(identity::TurnId(TurnId(message)), 0, mesh::bus::v1::REPLY_KIND_ANSWER, 0);
    plan_.OnLedger(RecordOf(offset, ledger::MakeSent(id, /*term=*/1, /*claim_offset=*/0, "", 0)));
  }
  void DeadLetter(const char* origin_topic, std::int64_t origin_offset, const char* reason = "deadline") {
    mesh::bus::v1::DeadLetter letter;
    letter.set_reason(reason);
    letter.set_service("worker");
    letter.set_origin_topic(origin_topic);
    letter.set_origin_partition(3);
    letter.set_origin_offset(origin_offset);
    plan_.OnDeadLetter(RecordOf("mesh.dead-letter", 17, letter));
  }
  ReplayedTurn Only() const {
    const std::vector<ReplayedTurn> turns = plan_.Judge(0, kNowMs);
    EXPECT_EQ(turns.size(), 1u);
    return turns.empty() ? ReplayedTurn{} : turns[0];
  }

  mesh::bus::v1::ConversationId conversation_;
  std::int64_t written_at_ms_ = kNowMs - 60'000;
  ReplayPlan plan_;
};

TEST_F(ReplayPlanTest, AMessageThatTheWorkersPassedWithoutATraceIsPutBackAsItWas) {
  Turn(7, "m1");
  const ReplayedTurn turn = Only();
  EXPECT_EQ(turn.fate, TurnFate::kLost);
  ASSERT_TRUE(turn.put_back);
  EXPECT_EQ(turn.put_back->topic, "mesh.turns");
  EXPECT_EQ(turn.put_back->partition, 3);
  EXPECT_EQ(turn.put_back->key, identity::KeyOf(conversation_).value());
  EXPECT_EQ(turn.put_back->headers, bus::Headers({{"ce_id", "the first"}}));
  mesh::bus::v1::Turn again;
  ASSERT_TRUE(again.ParseFromString(turn.put_back->value));
  EXPECT_EQ(again.turn_id(), TurnId("m1")) << "the same id: what was said before cannot be said again";
}

TEST_F(ReplayPlanTest, AReplyThatTheSendersPassedWithoutATraceIsPutBackForThemAlone) {
  Turn(7, "m1");
  Reply(5, "m1");
  Reply(6, "m1");
  const ReplayedTurn turn = Only();
  EXPECT_EQ(turn.fate, TurnFate::kReplyLost);
  ASSERT_TRUE(turn.put_back);
  EXPECT_EQ(turn.put_back->topic, "mesh.replies");
  EXPECT_NE(turn.detail.find("mesh.replies/3/5"), std::string::npos) << turn.detail;
}

TEST_F(ReplayPlanTest, WhatIsOnItsWayIsLeftAlone) {
  Turn(7, "passed, but its copy is not");
  Turn(kPassedTurns, "passed, but its copy is not");
  EXPECT_EQ(Only().fate, TurnFate::kWaiting);
  EXPECT_FALSE(Only().put_back);
  Reply(kPassedReplies, "passed, but its copy is not");
  EXPECT_EQ(Only().fate, TurnFate::kReplied);
  EXPECT_FALSE(Only().put_back);
  Plan(9, "passed, but its copy is not");
  EXPECT_EQ(Only().fate, TurnFate::kSending);
  EXPECT_FALSE(Only().put_back);
  Sent(10, "passed, but its copy is not");
  EXPECT_EQ(Only().fate, TurnFate::kSettled);
  EXPECT_EQ(Only().detail, "sent");
  EXPECT_FALSE(Only().put_back);
}

// Its account cannot send: the senders have passed the reply, which has no plan before it comes back from `parked`.
TEST_F(ReplayPlanTest, AReplyThatWaitsInParkedIsNotLost) {
  Turn(7, "parked");
  Reply(5, "parked");
  EXPECT_EQ(Only().fate, TurnFate::kReplyLost);
  plan_.OnLedger(RecordOf(9, ledger::MakeParkedReply(ReplyTo("parked"), /*replies_offset=*/5, /*parked_offset=*/0,
                                                     /*term=*/1, 0)));
  EXPECT_EQ(Only().fate, TurnFate::kSending);
  EXPECT_FALSE(Only().put_back);
  plan_.OnLedger(RecordOf(10, ledger::MakeReturned(ledger::KeyOf(ReplyTo("parked")), /*parked_offset=*/0, 0)));
  EXPECT_EQ(Only().fate, TurnFate::kReplyLost) << "its copy was gone";
}

TEST_F(ReplayPlanTest, WithdrawnAndGivenUpMessagesStay) {
  Turn(7, "merged");
  Supersede(5, "merged");
  EXPECT_EQ(Only().fate, TurnFate::kDropped);
  EXPECT_FALSE(Only().put_back);
}

TEST_F(ReplayPlanTest, ADeadLetterOfTurnOrReplyNamesTheWayBack) {
  Turn(7, "m1");
  DeadLetter("mesh.turns", 8);
  EXPECT_EQ(Only().fate, TurnFate::kLost) << "another record's letter";
  DeadLetter("mesh.turns", 7);
  EXPECT_EQ(Only().fate, TurnFate::kDeadLetter);
  EXPECT_FALSE(Only().put_back);
  EXPECT_NE(Only().detail.find("requeue 3-17"), std::string::npos) << Only().detail;
}

TEST_F(ReplayPlanTest, ALetterNamesNoWayBackWhereThereIsNone) {
  Turn(7, "m1");
  DeadLetter("mesh.turns", 7, "key_mismatch");
  EXPECT_EQ(Only().detail.find("requeue"), std::string::npos) << Only().detail;
  EXPECT_NE(Only().detail.find("key_mismatch"), std::string::npos) << Only().detail;
}

TEST_F(ReplayPlanTest, ALetterThatWasRequeuedOrTakenBackIsNotPutBackToWork) {
  Turn(7, "requeued");
  DeadLetter("mesh.turns", 7);
  Turn(8, "taken back");
  DeadLetter("mesh.turns", 8);
  for (const ReplayedTurn& turn : plan_.Judge(0, kNowMs)) {
    EXPECT_NE(turn.detail.find("requeue 3-17"), std::string::npos) << turn.detail;
  }
  Turn(9, "requeued", /*generation=*/1);
  Unsend(10, "taken back");
  const auto turns = plan_.Judge(0, kNowMs);
  ASSERT_EQ(turns.size(), 3u);
  EXPECT_EQ(turns[0].detail, "given up by worker: deadline");
  EXPECT_EQ(turns[1].detail, "given up by worker: deadline");
}

TEST_F(ReplayPlanTest, ARefusedReplyIsNotLost) {
  Turn(7, "m1");
  Reply(5, "m1");
  DeadLetter("mesh.replies", 5);
  EXPECT_EQ(Only().fate, TurnFate::kDeadLetter);
  EXPECT_FALSE(Only().put_back);
}

TEST_F(ReplayPlanTest, WhatWasAnsweredAfterARequeueIsNotAnsweredUnderItsFirstGeneration) {
  Turn(7, "m1");
  Turn(9, "m1", /*generation=*/1);
  Reply(5, "m1", /*generation=*/1);
  Plan(6, "m1", /*generation=*/1);
  const auto turns = plan_.Judge(0, kNowMs);
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turns[0].fate, TurnFate::kSettled) << "its ids of generation 0 are free, and must not be used";
  EXPECT_FALSE(turns[0].put_back);
  EXPECT_EQ(turns[1].fate, TurnFate::kSending);
}

TEST_F(ReplayPlanTest, ALostRequeueIsPutBackWithItsGeneration) {
  Turn(7, "m1");
  Reply(5, "m1");
  Plan(6, "m1");
  Turn(9, "m1", /*generation=*/1);
  const auto turns = plan_.Judge(0, kNowMs);
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_FALSE(turns[0].put_back);
  ASSERT_TRUE(turns[1].put_back);
  EXPECT_EQ(bus::GenerationOf(turns[1].put_back->headers), 1u);
}

TEST_F(ReplayPlanTest, WhatItsUserTookBackIsNotAnswered) {
  Turn(7, "unsent");
  Unsend(8, "unsent");
  Turn(9, "forgotten");
  Turn(10, "forget", 0, mesh::bus::v1::TURN_KIND_FORGET);
  Turn(11, "later");
  const auto turns = plan_.Judge(0, kNowMs);
  ASSERT_EQ(turns.size(), 3u);
  EXPECT_EQ(turns[0].fate, TurnFate::kTakenBack);
  EXPECT_EQ(turns[1].fate, TurnFate::kTakenBack);
  EXPECT_EQ(turns[2].fate, TurnFate::kLost);
  EXPECT_FALSE(turns[0].put_back || turns[1].put_back);
}

TEST_F(ReplayPlanTest, WhatIsOlderThanTheLedgerCanAnswerForStays) {
  written_at_ms_ = kNowMs - ReplayPlan::kReplayAgeMaxMs - 1;
  Turn(7, "old");
  EXPECT_EQ(Only().fate, TurnFate::kLost);
  EXPECT_FALSE(Only().put_back);
  EXPECT_TRUE(plan_.Judge(kNowMs - 1000, kNowMs).empty()) << "before --from";
}

TEST_F(ReplayPlanTest, OtherConversationsAndUnreadableRecordsArePassedOver) {
  bus::Record foreign;
  foreign.key = "another conversation";
  plan_.OnTurn(foreign);
  plan_.OnReply(foreign);
  foreign.key = identity::KeyOf(conversation_).value();
  foreign.value = "\xff\xff";
  plan_.OnTurn(foreign);
  plan_.OnReply(foreign);
  plan_.OnLedger(foreign);
  plan_.OnDeadLetter(foreign);
  EXPECT_TRUE(plan_.Judge(0, kNowMs).empty());
}

// A plan that senders refuse keeps no reply from being put back.
TEST_F(ReplayPlanTest, LedgerRecordsUnderAForeignKeyOrOfAForeignTypeSayNothing) {
  Turn(7, "m1");
  Reply(5, "m1");
  bus::Record misplaced = RecordOf(8, PlanOf("m1"));
  misplaced.key = PlanOf("m2").key;
  plan_.OnLedger(misplaced);
  bus::Record newer = RecordOf(9, PlanOf("m1"));
  newer.headers = {{"ce_type", "mesh.bus.v2.LedgerRecord"}};
  plan_.OnLedger(newer);
  EXPECT_EQ(Only().fate, TurnFate::kReplyLost);
  Plan(10, "m1");
  EXPECT_EQ(Only().fate, TurnFate::kSending);
}

}  // namespace
}  // namespace meshctl
