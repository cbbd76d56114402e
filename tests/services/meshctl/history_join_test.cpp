#include "services/meshctl/history_join.h"

#include <gtest/gtest.h>

#include <string>

#include "libs/bus/headers.h"
#include "libs/identity/identity.h"

namespace meshctl {
namespace {

using mesh::session::v1::AppendTurnRequest;
using mesh::session::v1::SetControlRequest;
using mesh::session::v1::SetOutcomeRequest;

mesh::bus::v1::ConversationId Conversation(const std::string& user,
                                           mesh::bus::v1::Channel channel = mesh::bus::v1::CHANNEL_WHATSAPP) {
  mesh::bus::v1::ConversationId id;
  id.set_tenant("acme");
  id.set_channel(channel);
  id.set_account("1001");
  id.set_user(user);
  return id;
}

std::string TurnId(const mesh::bus::v1::ConversationId& conversation, const std::string& message) {
  return identity::MakeTurnId(conversation, message).value();
}

bus::Record TurnRecord(std::int64_t offset, const mesh::bus::v1::ConversationId& conversation,
                       const std::string& message, const std::string& text,
                       mesh::bus::v1::TurnKind kind = mesh::bus::v1::TURN_KIND_MESSAGE) {
  mesh::bus::v1::Turn turn;
  *turn.mutable_conversation() = conversation;
  turn.set_turn_id(TurnId(conversation, message));
  turn.set_message_id(message);
  turn.set_kind(kind);
  turn.set_text(text);
  turn.set_type("text");
  bus::Record record;
  record.offset = offset;
  record.timestamp_ms = offset * 10;
  record.key = identity::KeyOf(conversation).value();
  record.value = turn.SerializeAsString();
  return record;
}

// As it is written now, and, of kind EVENT, as older versions did.
bus::Record UnsendRecord(std::int64_t offset, const mesh::bus::v1::ConversationId& conversation,
                         const std::string& message, const std::string& type, mesh::bus::v1::TurnKind kind) {
  bus::Record record = TurnRecord(offset, conversation, "unsend of " + message, "", kind);
  mesh::bus::v1::Turn turn;
  EXPECT_TRUE(turn.ParseFromString(record.value));
  turn.set_type(type);
  turn.set_reply_to_message_id(message);
  if (kind == mesh::bus::v1::TURN_KIND_UNSEND) turn.set_target_turn_id(TurnId(conversation, message));
  record.value = turn.SerializeAsString();
  return record;
}

bus::Record ReplyRecord(std::int64_t offset, const mesh::bus::v1::ConversationId& conversation,
                        const std::string& message, const std::string& text, std::uint32_t generation = 0) {
  mesh::bus::v1::ReplyRecord reply;
  *reply.mutable_reply()->mutable_conversation() = conversation;
  reply.mutable_reply()->set_turn_id(TurnId(conversation, message));
  reply.mutable_reply()->set_text(text);
  reply.mutable_reply()->set_generation(generation);
  bus::Record record;
  record.offset = offset;
  record.timestamp_ms = offset * 10 + 5;
  record.key = identity::KeyOf(conversation).value();
  record.value = reply.SerializeAsString();
  return record;
}

bus::Record SupersedeRecord(std::int64_t offset, const mesh::bus::v1::ConversationId& conversation,
                            const std::string& message) {
  mesh::bus::v1::ReplyRecord record;
  *record.mutable_supersede()->mutable_conversation() = conversation;
  record.mutable_supersede()->set_turn_id(TurnId(conversation, message));
  bus::Record written = ReplyRecord(offset, conversation, message, "");
  written.value = record.SerializeAsString();
  return written;
}

constexpr std::size_t kPlenty = 1 << 20;

TEST(HistoryJoinTest, AReplyBringsItsTurnBack) {
  const auto ann = Conversation("ann");
  HistoryJoin join(kPlenty);
  join.OnTurn(TurnRecord(7, ann, "m1", "hello"));
  const auto call = join.OnReply(ReplyRecord(3, ann, "m1", "good day"));
  ASSERT_TRUE(call && std::holds_alternative<AppendTurnRequest>(*call));
  const auto& request = std::get<AppendTurnRequest>(*call);
  EXPECT_EQ(request.conversation().user(), "ann");
  EXPECT_EQ(request.turn().turn_id(), TurnId(ann, "m1"));
  EXPECT_EQ(request.turn().user_text(), "hello");
  EXPECT_EQ(request.turn().reply_text(), "good day");
  EXPECT_EQ(request.turn().turns_offset(), 7);
  EXPECT_EQ(request.turn().replies_offset(), 3);
  EXPECT_GT(request.turn().user_tokens(), 0);
  EXPECT_EQ(request.turn().outcome(), mesh::session::v1::OUTCOME_UNSPECIFIED) << "the ledger's to tell";
  EXPECT_EQ(join.waiting(), 0u);
  EXPECT_FALSE(join.OnReply(ReplyRecord(4, ann, "m1", "other words"))) << "a later record was not said";
  EXPECT_EQ(join.unjoined(), 0);
}

TEST(HistoryJoinTest, ARetriedWebhookKeepsTheFirstTurnsPlaceAndEventsAreNoTurns) {
  const auto ann = Conversation("ann");
  HistoryJoin join(kPlenty);
  join.OnTurn(TurnRecord(7, ann, "m1", "hello"));
  join.OnTurn(TurnRecord(9, ann, "m1", "hello"));
  join.OnTurn(TurnRecord(10, ann, "m2", "", mesh::bus::v1::TURN_KIND_EVENT));
  EXPECT_EQ(join.waiting(), 1u);
  const auto call = join.OnReply(ReplyRecord(3, ann, "m1", "good day"));
  ASSERT_TRUE(call);
  EXPECT_EQ(std::get<AppendTurnRequest>(*call).turn().turns_offset(), 7);
  EXPECT_FALSE(join.OnReply(ReplyRecord(4, ann, "m2", "to an event")));
}

// A message that was answered together with a later one: without it the model would not know what it answered, and a
// retried webhook would be answered.
TEST(HistoryJoinTest, AWithdrawnTurnComesBackWithTheUsersWordsAndNoReply) {
  const auto ann = Conversation("ann");
  HistoryJoin join(kPlenty);
  join.OnTurn(TurnRecord(7, ann, "m1", "the red one"));
  const auto call = join.OnReply(SupersedeRecord(3, ann, "m1"));
  ASSERT_TRUE(call && std::holds_alternative<AppendTurnRequest>(*call));
  const auto& turn = std::get<AppendTurnRequest>(*call).turn();
  EXPECT_EQ(turn.turn_id(), TurnId(ann, "m1"));
  EXPECT_EQ(turn.user_text(), "the red one");
  EXPECT_EQ(turn.reply_text(), "");
  EXPECT_EQ(turn.turns_offset(), 7);
  EXPECT_EQ(turn.replies_offset(), 3);
  EXPECT_EQ(turn.outcome(), mesh::session::v1::OUTCOME_UNSPECIFIED) << "the ledger's to tell";
  EXPECT_FALSE(join.OnReply(ReplyRecord(4, ann, "m1", "of a re-run: never said")));
  EXPECT_EQ(join.unjoined(), 0);
}

TEST(HistoryJoinTest, AWithdrawalThatCameAfterTheReplyChangesNothing) {
  const auto ann = Conversation("ann");
  HistoryJoin join(kPlenty);
  join.OnTurn(TurnRecord(7, ann, "m1", "hello"));
  ASSERT_TRUE(join.OnReply(ReplyRecord(3, ann, "m1", "good day")));
  EXPECT_FALSE(join.OnReply(SupersedeRecord(4, ann, "m1")));
  EXPECT_EQ(join.unjoined(), 0);
}

TEST(HistoryJoinTest, AWithdrawnMessageOfAChannelWithoutSendsIsSupersededByTheRecordAlone) {
  const auto web = Conversation("ann", mesh::bus::v1::CHANNEL_WEB);
  HistoryJoin join(kPlenty);
  join.OnTurn(TurnRecord(7, web, "m1", "hello"));
  const auto call = join.OnReply(SupersedeRecord(3, web, "m1"));
  ASSERT_TRUE(call);
  EXPECT_EQ(std::get<AppendTurnRequest>(*call).turn().outcome(), mesh::session::v1::OUTCOME_SUPERSEDED);
}

TEST(HistoryJoinTest, AChangedNumberIsALinkAtTheTimeOfItsAcceptance) {
  const auto ann = Conversation("ann");
  bus::Record record = TurnRecord(7, ann, "m1", "", mesh::bus::v1::TURN_KIND_IDENTITY_CHANGE);
  mesh::bus::v1::Turn turn;
  ASSERT_TRUE(turn.ParseFromString(record.value));
  turn.set_type("system");
  turn.set_original(R"({"type":"system","system":{"type":"user_changed_number","wa_id":"anna"}})");
  turn.set_accepted_at_ms(77);
  record.value = turn.SerializeAsString();
  HistoryJoin join(kPlenty);
  join.Learn(record);
  ASSERT_EQ(join.links().size(), 1u);
  EXPECT_EQ(join.links()[0].old_conversation().user(), "ann");
  EXPECT_EQ(join.links()[0].new_conversation().user(), "anna");
  EXPECT_EQ(join.links()[0].changed_at_ms(), 77);
}

TEST(HistoryJoinTest, WhatWasDeletedComesBackAsFinishedOnly) {
  const auto ann = Conversation("ann");
  HistoryJoin join(kPlenty);
  const bus::Record before = TurnRecord(7, ann, "m1", "secret");
  const bus::Record forget = TurnRecord(8, ann, "f", "", mesh::bus::v1::TURN_KIND_FORGET);
  const bus::Record after = TurnRecord(9, ann, "m2", "hello again");
  for (const bus::Record* record : {&before, &forget, &after}) join.Learn(*record);
  ASSERT_EQ(join.deletions().size(), 1u);
  EXPECT_EQ(join.deletions().begin()->second.turns_offset, 8);
  EXPECT_EQ(join.deletions().begin()->second.conversation.user(), "ann");
  for (const bus::Record* record : {&before, &forget, &after}) join.OnTurn(*record);

  const auto deleted = join.OnReply(ReplyRecord(3, ann, "m1", "about the secret"));
  ASSERT_TRUE(deleted);
  EXPECT_EQ(std::get<AppendTurnRequest>(*deleted).SerializeAsString().find("secret"), std::string::npos);
  EXPECT_EQ(std::get<AppendTurnRequest>(*deleted).turn().turn_id(), TurnId(ann, "m1"));
  const auto kept = join.OnReply(ReplyRecord(4, ann, "m2", "good day"));
  ASSERT_TRUE(kept);
  EXPECT_EQ(std::get<AppendTurnRequest>(*kept).turn().user_text(), "hello again");
}

TEST(HistoryJoinTest, AnUnsentMessageComesBackAsFinishedOnlyAndIsToldToSession) {
  for (const auto kind : {mesh::bus::v1::TURN_KIND_UNSEND, mesh::bus::v1::TURN_KIND_EVENT}) {
    for (const char* type : {"revoke", "is_deleted"}) {
      const auto ann = Conversation("ann");
      HistoryJoin join(kPlenty);
      join.Learn(TurnRecord(7, ann, "m1", "oops"));
      join.Learn(UnsendRecord(9, ann, "m1", type, kind));
      join.Learn(UnsendRecord(11, ann, "m1", type, kind));
      ASSERT_EQ(join.unsends().size(), 1u);
      const auto& unsends = join.unsends().at(identity::KeyOf(ann).value());
      ASSERT_EQ(unsends.size(), 1u);
      EXPECT_EQ(unsends[0].turn_id(), TurnId(ann, "m1"));
      EXPECT_EQ(unsends[0].conversation().user(), "ann");
      join.OnTurn(TurnRecord(7, ann, "m1", "oops"));
      const auto call = join.OnReply(ReplyRecord(3, ann, "m1", "what?"));
      ASSERT_TRUE(call) << type;
      EXPECT_EQ(std::get<AppendTurnRequest>(*call).turn().turn_id(), TurnId(ann, "m1"));
      EXPECT_EQ(std::get<AppendTurnRequest>(*call).turn().user_text(), "");
      EXPECT_EQ(std::get<AppendTurnRequest>(*call).turn().reply_text(), "");
    }
  }
}

TEST(HistoryJoinTest, WhoAnswersIsToldByTheFirstRecordOfEachEvent) {
  const auto ann = Conversation("ann");
  const auto with_control = [&](bus::Record record, mesh::bus::v1::ControlAction action) {
    mesh::bus::v1::Turn turn;
    EXPECT_TRUE(turn.ParseFromString(record.value));
    turn.set_control(action);
    record.value = turn.SerializeAsString();
    return record;
  };
  const bus::Record pause =
      with_control(TurnRecord(5, ann, "c1", "", mesh::bus::v1::TURN_KIND_CONTROL), mesh::bus::v1::CONTROL_ACTION_PAUSE);
  const bus::Record stop = with_control(TurnRecord(6, ann, "m1", "stop"), mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  HistoryJoin join(kPlenty);
  const auto paused = join.OnTurn(pause);
  ASSERT_TRUE(paused && std::holds_alternative<SetControlRequest>(*paused));
  EXPECT_EQ(std::get<SetControlRequest>(*paused).action(), mesh::bus::v1::CONTROL_ACTION_PAUSE);
  EXPECT_EQ(std::get<SetControlRequest>(*paused).turns_offset(), 5);
  EXPECT_EQ(std::get<SetControlRequest>(*paused).turn_id(), TurnId(ann, "c1"));
  const auto stopped = join.OnTurn(stop);
  ASSERT_TRUE(stopped);
  EXPECT_EQ(std::get<SetControlRequest>(*stopped).conversation().user(), "ann");
  EXPECT_EQ(std::get<SetControlRequest>(*stopped).turns_offset(), 6);
  EXPECT_EQ(std::get<SetControlRequest>(*stopped).turn_id(), "") << "its reply makes it known as finished";
  EXPECT_EQ(join.waiting(), 1u) << "the message waits for its reply like any other";
  ASSERT_TRUE(join.OnReply(ReplyRecord(3, ann, "m1", "You will get no more messages.")));
  EXPECT_FALSE(join.OnTurn(pause)) << "a retried webhook";
  EXPECT_FALSE(join.OnTurn(stop));
  EXPECT_FALSE(join.OnTurn(TurnRecord(9, ann, "m2", "hello")));
}

TEST(HistoryJoinTest, RequeuedTurnsAndRequeuedRepliesAreNewGenerations) {
  const auto ann = Conversation("ann");
  HistoryJoin join(kPlenty);
  join.OnTurn(TurnRecord(7, ann, "m1", "hello"));
  ASSERT_TRUE(join.OnReply(ReplyRecord(3, ann, "m1", "sorry")));
  bus::Record requeued = TurnRecord(20, ann, "m1", "hello");
  requeued.headers.emplace_back(std::string(bus::kGenerationHeader), "1");
  join.OnTurn(requeued);
  const auto turn = join.OnReply(ReplyRecord(13, ann, "m1", "good day", /*generation=*/1));
  ASSERT_TRUE(turn && std::holds_alternative<AppendTurnRequest>(*turn));
  EXPECT_EQ(std::get<AppendTurnRequest>(*turn).turn().generation(), 1u);
  EXPECT_EQ(std::get<AppendTurnRequest>(*turn).turn().turns_offset(), 20);

  const auto reply = join.OnReply(ReplyRecord(15, ann, "m1", "said again", /*generation=*/2));
  ASSERT_TRUE(reply && std::holds_alternative<SetOutcomeRequest>(*reply));
  EXPECT_EQ(std::get<SetOutcomeRequest>(*reply).generation(), 2u);
  EXPECT_EQ(std::get<SetOutcomeRequest>(*reply).reply_text(), "said again");
  EXPECT_EQ(std::get<SetOutcomeRequest>(*reply).replies_offset(), 15);
}

TEST(HistoryJoinTest, AReplyOfAChannelWithoutSendsHasFailed) {
  const auto web = Conversation("ann", mesh::bus::v1::CHANNEL_WEB);
  HistoryJoin join(kPlenty);
  join.OnTurn(TurnRecord(7, web, "m1", "hello"));
  const auto call = join.OnReply(ReplyRecord(3, web, "m1", "good day"));
  ASSERT_TRUE(call);
  EXPECT_EQ(std::get<AppendTurnRequest>(*call).turn().outcome(), mesh::session::v1::OUTCOME_FAILED);
}

TEST(HistoryJoinTest, MemoryIsBoundedAndWhatItCostIsCounted) {
  const auto ann = Conversation("ann");
  HistoryJoin join(/*bytes_max=*/100'000);
  for (int i = 0; i < 1000; ++i) join.OnTurn(TurnRecord(i, ann, "m" + std::to_string(i), std::string(400, 'x')));
  EXPECT_LE(join.waiting(), 100u);
  EXPECT_GE(join.waiting(), 90u);
  EXPECT_TRUE(join.OnReply(ReplyRecord(1, ann, "m999", "in time")));
  EXPECT_FALSE(join.OnReply(ReplyRecord(2, ann, "m0", "too late")));
  EXPECT_EQ(join.unjoined(), 1);
}

TEST(HistoryJoinTest, WhatNoServiceWouldTakeIsPassedOver) {
  const auto ann = Conversation("ann");
  HistoryJoin join(kPlenty);
  bus::Record broken = TurnRecord(1, ann, "m1", "hello");
  broken.value = "\xff not a turn";
  join.Learn(broken);
  join.OnTurn(broken);
  bus::Record misplaced = TurnRecord(2, ann, "m1", "hello");
  misplaced.key = identity::KeyOf(Conversation("bob")).value();
  join.OnTurn(misplaced);
  EXPECT_EQ(join.waiting(), 0u);
  bus::Record reply = ReplyRecord(3, ann, "m1", "hello");
  reply.key = misplaced.key;
  EXPECT_FALSE(join.OnReply(reply));
}

}  // namespace
}  // namespace meshctl
