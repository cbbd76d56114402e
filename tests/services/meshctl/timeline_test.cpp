#include "services/meshctl/timeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "libs/base/hex.h"
#include "libs/bus/headers.h"
#include "libs/ledger/ledger_record.h"

namespace meshctl {
namespace {

using ::testing::HasSubstr;

class TimelineTest : public ::testing::Test {
 protected:
  TimelineTest() {
    conversation_.set_tenant("t");
    conversation_.set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
    conversation_.set_account("100");
    conversation_.set_user("16505551234");
    turn_id_ = identity::MakeTurnId(conversation_, "wamid.1").value();
  }

  template <typename Message>
  bus::Record Record(const std::string& topic, const Message& message, bus::Headers headers = {}) {
    return {.topic = topic,
            .partition = 3,
            .offset = offset_++,
            .key = "",
            .value = message.SerializeAsString(),
            .headers = std::move(headers),
            .timestamp_ms = 9000};
  }

  bus::Record Turn(std::int64_t at_ms, bus::Headers headers = {}) {
    mesh::bus::v1::Turn turn;
    turn.set_turn_id(turn_id_);
    *turn.mutable_conversation() = conversation_;
    turn.set_message_id("wamid.1");
    turn.set_type("text");
    turn.set_text("the secret words");
    turn.set_accepted_at_ms(at_ms);
    return Record("mesh.turns", turn, std::move(headers));
  }

  bus::Record Reply(std::int64_t at_ms, std::uint32_t generation = 0) {
    mesh::bus::v1::ReplyRecord record;
    record.mutable_reply()->set_turn_id(turn_id_);
    record.mutable_reply()->set_generation(generation);
    record.mutable_reply()->set_created_at_ms(at_ms);
    record.mutable_reply()->set_text("the secret answer");
    return Record("mesh.replies", record);
  }

  bus::Record Sent(std::int64_t at_ms, std::uint32_t generation, const std::string& message_id) {
    const auto reply =
        identity::MakeReplyId(identity::TurnId(turn_id_), generation, mesh::bus::v1::REPLY_KIND_ANSWER, 0);
    const ledger::LedgerEntry entry = ledger::MakeSent(reply, /*term=*/1, /*claim_offset=*/0, message_id, at_ms);
    bus::Record record = Record("mesh.send-ledger", entry.record);
    record.key = entry.key;
    return record;
  }

  bus::Record Letter(const std::string& reason, const std::string& value) {
    mesh::bus::v1::DeadLetter letter;
    letter.set_reason(reason);
    letter.set_service("worker");
    letter.set_dead_at_ms(2000);
    letter.set_original_value(value);
    return Record("mesh.dead-letter", letter);
  }

  std::vector<std::string> Sentences() const {
    std::vector<std::string> sentences;
    for (const TimelineEntry& entry : timeline_.Sorted()) sentences.push_back(entry.what);
    return sentences;
  }

  mesh::bus::v1::ConversationId conversation_;
  std::string turn_id_;
  std::int64_t offset_ = 0;
  Timeline timeline_{"wamid.1"};
};

TEST_F(TimelineTest, FollowsAMessageToItsDelivery) {
  timeline_.OnTurn(Turn(1000));
  timeline_.OnReply(Reply(1500));
  timeline_.OnLedger(Sent(1700, 0, "wamid.OUT"));
  mesh::bus::v1::DeliveryStatus status;
  status.set_message_id("wamid.OUT");
  status.set_state(mesh::bus::v1::DELIVERY_STATE_DELIVERED);
  status.set_accepted_at_ms(1900);
  timeline_.OnStatus(Record("mesh.statuses", status));
  mesh::session::v1::GetSessionResponse session;
  session.add_turns()->set_turn_id(turn_id_);
  session.mutable_turns(0)->set_outcome(mesh::session::v1::OUTCOME_DELIVERED);
  timeline_.OnSession(session);

  EXPECT_THAT(Sentences(), ::testing::ElementsAre(HasSubstr("accepted: text"), HasSubstr("answer generation 0"),
                                                  HasSubstr("sent as wamid.OUT"), HasSubstr("platform says: delivered"),
                                                  HasSubstr("outcome delivered")));
  EXPECT_EQ(timeline_.Sorted()[1].where, "mesh.replies/3/1");
  EXPECT_EQ(timeline_.turn_id_hex(), base::ToHex(turn_id_));
  for (const std::string& sentence : Sentences()) EXPECT_THAT(sentence, ::testing::Not(HasSubstr("secret")));
}

TEST_F(TimelineTest, AMessageIsFoundByItsTurnToo) {
  Timeline by_turn(base::ToHex(turn_id_));
  mesh::bus::v1::Turn other;
  other.set_turn_id(identity::MakeTurnId(conversation_, "wamid.2").value());
  other.set_message_id("wamid.2");
  by_turn.OnTurn(Record("mesh.turns", other));
  EXPECT_FALSE(by_turn.conversation().has_value());
  by_turn.OnTurn(Turn(1000));
  by_turn.OnReply(Reply(1500));
  EXPECT_EQ(by_turn.Sorted().size(), 2u);
  EXPECT_EQ(by_turn.message_id(), "wamid.1");
}

TEST_F(TimelineTest, AMessageThatWasTakenBackSaysSo) {
  timeline_.OnTurn(Turn(1000));
  mesh::bus::v1::Turn unsend;
  *unsend.mutable_conversation() = conversation_;
  unsend.set_kind(mesh::bus::v1::TURN_KIND_UNSEND);
  unsend.set_target_turn_id(turn_id_);
  unsend.set_accepted_at_ms(1100);
  timeline_.OnTurn(Record("mesh.turns", unsend));
  mesh::bus::v1::ReplyRecord withdrawn;
  withdrawn.mutable_supersede()->set_turn_id(turn_id_);
  withdrawn.mutable_supersede()->set_policy(mesh::bus::v1::DROP_POLICY_UNSENT);
  timeline_.OnReply(Record("mesh.replies", withdrawn));
  EXPECT_THAT(Sentences(), ::testing::ElementsAre(HasSubstr("accepted: text"), "taken back by its user",
                                                  HasSubstr("policy DROP_POLICY_UNSENT")));
}

TEST_F(TimelineTest, SaysWhyAMessageIsNotAnswered) {
  timeline_.OnTurn(Turn(1000));
  mesh::bus::v1::ReplyRecord record;
  record.mutable_supersede()->set_turn_id(turn_id_);
  record.mutable_supersede()->set_by_turn_id(std::string(32, '\x01'));
  timeline_.OnReply(Record("mesh.replies", record));
  record.mutable_supersede()->clear_by_turn_id();
  record.mutable_supersede()->set_policy(mesh::bus::v1::DROP_POLICY_HANDOFF);
  timeline_.OnReply(Record("mesh.replies", record));
  record.mutable_reply()->set_turn_id(turn_id_);
  record.mutable_reply()->set_kind(mesh::bus::v1::REPLY_KIND_NOTICE);
  record.mutable_reply()->set_drop_policy(mesh::bus::v1::DROP_POLICY_COUNTRY);
  timeline_.OnReply(Record("mesh.replies", record));
  EXPECT_THAT(Sentences(), ::testing::ElementsAre(HasSubstr("accepted"), "superseded by turn 010101010101",
                                                  HasSubstr("by policy DROP_POLICY_HANDOFF"),
                                                  HasSubstr("instead of an answer, by policy DROP_POLICY_COUNTRY")));
}

TEST_F(TimelineTest, OtherMessagesAreLeftOut) {
  timeline_.OnReply(Reply(1));  // before its turn is known
  mesh::bus::v1::Turn other;
  other.set_message_id("wamid.2");
  timeline_.OnTurn(Record("mesh.turns", other));
  EXPECT_FALSE(timeline_.conversation().has_value());
  timeline_.OnTurn(Turn(1000));
  timeline_.OnReply(Record("mesh.replies", mesh::bus::v1::ReplyRecord()));
  bus::Record garbage = Reply(1);
  garbage.value = "\xff\xff garbage";
  timeline_.OnReply(garbage);
  timeline_.OnLedger(garbage);
  bus::Record misplaced = Sent(1, 0, "wamid.OUT");
  misplaced.key = "another record's";
  timeline_.OnLedger(misplaced);
  timeline_.OnStatus(garbage);
  timeline_.OnDeadLetter(garbage);
  EXPECT_EQ(Sentences().size(), 1u);
}

TEST_F(TimelineTest, RetriedWebhookAndLaterReplyAreSaidToBeWhatTheyAre) {
  timeline_.OnTurn(Turn(1000));
  timeline_.OnTurn(Turn(1100));
  timeline_.OnReply(Reply(1500));
  timeline_.OnReply(Reply(1600));
  EXPECT_THAT(Sentences(), ::testing::ElementsAre(HasSubstr("accepted: "), HasSubstr("accepted again"),
                                                  ::testing::Not(HasSubstr("ignored")), HasSubstr("ignored")));
}

TEST_F(TimelineTest, CopiesOfADeadLetterOrAParkedReplyAreOneStep) {
  timeline_.OnTurn(Turn(1000));
  mesh::bus::v1::DeadLetter letter;
  letter.set_reason("deadline");
  letter.set_dead_at_ms(2000);
  letter.set_original_value(Turn(1000).value);
  const auto copy = [&](const std::string& topic, bus::Record record) {
    record.topic = topic;
    record.headers = {{"ce_id", "mesh.replies/3/17"}};
    return record;
  };
  for (int i = 0; i < 2; ++i) {
    timeline_.OnDeadLetter(copy("mesh.dead-letter", Record("mesh.dead-letter", letter)));
    timeline_.OnReply(copy("mesh.parked", Reply(1500)));
  }
  EXPECT_EQ(Sentences().size(), 3u) << "accepted, parked, given up";
  timeline_.OnReply(copy("mesh.replies", Reply(1500)));
  timeline_.OnReply(copy("mesh.replies", Reply(1500)));
  EXPECT_EQ(Sentences().size(), 5u) << "a re-run may say something else";
}

TEST_F(TimelineTest, ALetterNamesTheWayBackWhereThereIsOne) {
  const std::string turn = Turn(1000).value;
  timeline_.OnTurn(Turn(1000));
  offset_ = 17;
  timeline_.OnDeadLetter(Letter("deadline", turn));
  timeline_.OnDeadLetter(Letter("key_mismatch", turn));
  EXPECT_THAT(Sentences(), ::testing::ElementsAre(HasSubstr("accepted"), HasSubstr("meshctl dead-letter requeue 3-17"),
                                                  ::testing::Not(HasSubstr("requeue"))));
}

// `meshctl dead-letter requeue` leaves these out.
TEST_F(TimelineTest, WhatMayNotBeSaidAnyMoreHasNoWayBack) {
  timeline_.OnTurn(Turn(1000));
  timeline_.OnReply(Reply(1500));
  timeline_.OnDeadLetter(Letter("send_failed", Reply(1500).value));
  const auto hints = [this](const mesh::session::v1::GetSessionResponse& session) {
    Timeline timeline = timeline_;
    timeline.OnSession(session);
    return std::ranges::count_if(timeline.Sorted(), [](const TimelineEntry& entry) {
      return entry.what.find("dead-letter requeue") != std::string::npos;
    });
  };
  mesh::session::v1::GetSessionResponse session;
  session.add_turns()->set_turn_id(turn_id_);
  session.mutable_turns(0)->set_outcome(mesh::session::v1::OUTCOME_FAILED);
  EXPECT_EQ(hints(session), 1);
  session.set_paused(true);
  EXPECT_EQ(hints(session), 0);
  session.set_paused(false);
  session.set_opted_out(true);
  EXPECT_EQ(hints(session), 0);
  session.set_opted_out(false);
  session.mutable_turns(0)->set_outcome(mesh::session::v1::OUTCOME_SENT);
  EXPECT_EQ(hints(session), 0) << "a part was shown";
}

// What was shown of it is the notice.
TEST_F(TimelineTest, ATurnWhoseNoticeWasShownHasAWayBackUntilItIsTakenBack) {
  timeline_.OnTurn(Turn(1000));
  timeline_.OnDeadLetter(Letter("deadline", Turn(1000).value));
  mesh::session::v1::GetSessionResponse session;
  session.add_turns()->set_turn_id(turn_id_);
  session.mutable_turns(0)->set_outcome(mesh::session::v1::OUTCOME_DELIVERED);
  timeline_.OnSession(session);
  EXPECT_THAT(Sentences(), ::testing::Contains(HasSubstr("requeue")));
  mesh::bus::v1::Turn unsend;
  unsend.set_kind(mesh::bus::v1::TURN_KIND_UNSEND);
  unsend.set_target_turn_id(turn_id_);
  timeline_.OnTurn(Record("mesh.turns", unsend));
  EXPECT_THAT(Sentences(), ::testing::Not(::testing::Contains(HasSubstr("requeue"))));
}

TEST_F(TimelineTest, GivenUpAndRequeuedIsFollowedIntoItsNextGeneration) {
  timeline_.OnTurn(Turn(1000));
  timeline_.OnDeadLetter(Letter("deadline", Turn(1000).value));
  bus::Record requeued = Turn(1000, {{std::string(bus::kGenerationHeader), "1"}});
  requeued.timestamp_ms = 3000;
  timeline_.OnTurn(requeued);
  bus::Record again = Reply(1500, 1);  // made long ago
  again.timestamp_ms = 3500;
  timeline_.OnReply(again);
  timeline_.OnLedger(Sent(3600, 1, "wamid.OUT"));
  EXPECT_THAT(Sentences(),
              ::testing::ElementsAre(HasSubstr("accepted"),
                                     ::testing::AllOf(HasSubstr("given up"), ::testing::Not(HasSubstr("back to work"))),
                                     HasSubstr("generation 1"), HasSubstr("answer generation 1"),
                                     HasSubstr("sent as wamid.OUT")))
      << "the same generation is said once";
}

}  // namespace
}  // namespace meshctl
