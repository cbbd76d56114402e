#include "services/gateway/event_records.h"

#include <gtest/gtest.h>

#include <string>

#include "libs/base/hex.h"
#include "libs/crypto/digest.h"
#include "libs/identity/identity.h"
#include "proto/bus/v1/bus.pb.h"

namespace gateway {
namespace {

using channel::Event;
using channel::EventKind;
using mesh::bus::v1::DeliveryStatus;
using mesh::bus::v1::Turn;

class EventRecordsTest : public ::testing::Test {
 protected:
  EventRecordsTest() {
    account_.tenant = "acme";
    account_.channel = mesh::bus::v1::CHANNEL_WHATSAPP;
    account_.account_id = "1065";
  }

  static Event MakeEvent(EventKind kind) {
    Event event;
    event.kind = kind;
    event.channel = mesh::bus::v1::CHANNEL_WHATSAPP;
    event.account = "1065";
    event.user = "1650";
    event.message_id = "wamid.1";
    event.timestamp_ms = 1000;
    event.type = "text";
    event.text = "hello";
    return event;
  }
  bus::OutgoingRecord Record(const Event& event) const {
    auto record = ToRecord(event, account_, topics_, acceptance_);
    EXPECT_TRUE(std::holds_alternative<bus::OutgoingRecord>(record));
    return std::get<bus::OutgoingRecord>(record);
  }
  std::string IgnoredReason(const Event& event) const {
    const auto record = ToRecord(event, account_, topics_, acceptance_);
    const Ignored* ignored = std::get_if<Ignored>(&record);
    return ignored == nullptr ? "" : std::string(ignored->reason);
  }
  Turn TurnOf(const Event& event) const {
    const bus::OutgoingRecord record = Record(event);
    EXPECT_EQ(record.topic, "mesh.turns");
    Turn turn;
    EXPECT_TRUE(turn.ParseFromString(record.value));
    return turn;
  }
  DeliveryStatus StatusOf(const Event& event) const {
    const bus::OutgoingRecord record = Record(event);
    EXPECT_EQ(record.topic, "mesh.statuses");
    DeliveryStatus status;
    EXPECT_TRUE(status.ParseFromString(record.value));
    return status;
  }

  account::Account account_;
  const RecordTopics topics_{bus::BusOptions{}};
  const Acceptance acceptance_{.trace = telemetry::TraceContext::NewRoot(), .wall_ms = 5000};
};

TEST_F(EventRecordsTest, WhatIsOlderThanTheMemoryOfFinishedTurnsIsNotTakenAgain) {
  constexpr std::int64_t kDayMs = 86'400'000;
  const Acceptance later{.trace = telemetry::TraceContext::NewRoot(), .wall_ms = 9 * kDayMs};
  const auto reason = [&](EventKind kind, std::int64_t timestamp_ms) {
    Event event = MakeEvent(kind);
    event.timestamp_ms = timestamp_ms;
    const auto record = ToRecord(event, account_, topics_, later);
    const Ignored* ignored = std::get_if<Ignored>(&record);
    return ignored == nullptr ? "" : std::string(ignored->reason);
  };
  for (const EventKind kind : {EventKind::kMessage, EventKind::kPostback, EventKind::kEvent}) {
    EXPECT_EQ(reason(kind, kDayMs - 1), "too_old");
    EXPECT_EQ(reason(kind, kDayMs), "") << "Meta tries for 7 days, and clocks differ";
    EXPECT_EQ(reason(kind, 0), "") << "it says no time";
    EXPECT_EQ(reason(kind, 90 * kDayMs), "") << "a clock that is wrong loses nobody's message";
  }
  EXPECT_EQ(reason(EventKind::kStatus, 1), "") << "it says what became of a send, however late";
  Event unsend = MakeEvent(EventKind::kEvent);
  unsend.timestamp_ms = 1;
  unsend.unsent_message_id = "mid.1";
  EXPECT_TRUE(std::holds_alternative<bus::OutgoingRecord>(ToRecord(unsend, account_, topics_, later)))
      << "it may have the time of the message that it takes back";
}

TEST_F(EventRecordsTest, AMessageBecomesATurnOfItsConversation) {
  Event event = MakeEvent(EventKind::kMessage);
  event.reply_to_message_id = "wamid.0";
  event.original = "{}";
  event.attachments.emplace_back().set_type("image");
  const Turn turn = TurnOf(event);
  EXPECT_EQ(turn.conversation().tenant(), "acme");
  EXPECT_EQ(turn.conversation().channel(), mesh::bus::v1::CHANNEL_WHATSAPP);
  EXPECT_EQ(turn.conversation().account(), "1065");
  EXPECT_EQ(turn.conversation().user(), "1650");
  EXPECT_EQ(turn.turn_id(), identity::MakeTurnId(turn.conversation(), "wamid.1").value());
  EXPECT_EQ(turn.kind(), mesh::bus::v1::TURN_KIND_MESSAGE);
  EXPECT_EQ(turn.message_id(), "wamid.1");
  EXPECT_EQ(turn.text(), "hello");
  EXPECT_EQ(turn.type(), "text");
  EXPECT_EQ(turn.attachments(0).type(), "image");
  EXPECT_EQ(turn.reply_to_message_id(), "wamid.0");
  EXPECT_EQ(turn.sent_at_ms(), 1000);
  EXPECT_EQ(turn.accepted_at_ms(), 5000);
  EXPECT_EQ(turn.original(), "{}");
}

TEST_F(EventRecordsTest, TheRecordIsKeyedByConversationAndCarriesTheTrace) {
  const bus::OutgoingRecord record = Record(MakeEvent(EventKind::kMessage));
  Turn turn;
  ASSERT_TRUE(turn.ParseFromString(record.value));
  EXPECT_EQ(record.key, identity::KeyOf(turn.conversation()).value());
  EXPECT_EQ(record.partition, -1);
  EXPECT_EQ(bus::FindHeader(record.headers, "ce_type"), "mesh.bus.v1.Turn");
  EXPECT_EQ(bus::FindHeader(record.headers, "ce_id"), base::ToHex(turn.turn_id()));
  EXPECT_EQ(bus::FindHeader(record.headers, "ce_source"), "/musemesh/gateway");
  const auto trace = telemetry::TraceContext::Parse(bus::FindHeader(record.headers, "traceparent"));
  ASSERT_TRUE(trace.has_value());
  EXPECT_EQ(trace->trace_id, acceptance_.trace.trace_id);
  EXPECT_NE(trace->span_id, acceptance_.trace.span_id);
}

TEST_F(EventRecordsTest, TheSameMessageTwiceIsTheSameTurn) {
  EXPECT_EQ(TurnOf(MakeEvent(EventKind::kMessage)).turn_id(), TurnOf(MakeEvent(EventKind::kMessage)).turn_id());
  Event other = MakeEvent(EventKind::kMessage);
  other.message_id = "wamid.2";
  EXPECT_NE(TurnOf(other).turn_id(), TurnOf(MakeEvent(EventKind::kMessage)).turn_id());
}

TEST_F(EventRecordsTest, OnlyMessagesAndPostbacksWantAnAnswer) {
  EXPECT_EQ(TurnOf(MakeEvent(EventKind::kPostback)).kind(), mesh::bus::v1::TURN_KIND_POSTBACK);
  EXPECT_EQ(TurnOf(MakeEvent(EventKind::kStandby)).kind(), mesh::bus::v1::TURN_KIND_EVENT);
  EXPECT_EQ(TurnOf(MakeEvent(EventKind::kEvent)).kind(), mesh::bus::v1::TURN_KIND_EVENT);
}

TEST_F(EventRecordsTest, WhatCannotBeReadIsAMessageThatSaysSo) {
  Event event = MakeEvent(EventKind::kUnreadable);
  event.type = "unsupported";
  event.text = "";
  EXPECT_EQ(TurnOf(event).kind(), mesh::bus::v1::TURN_KIND_MESSAGE);
  EXPECT_TRUE(TurnOf(event).unreadable());
  EXPECT_FALSE(TurnOf(MakeEvent(EventKind::kMessage)).unreadable());
  EXPECT_FALSE(TurnOf(MakeEvent(EventKind::kEvent)).unreadable());
  event.user = "";
  EXPECT_EQ(IgnoredReason(event), "no_user");
}

TEST_F(EventRecordsTest, AChangedUserIdIsAnIdentityChangeOnWhatsAppAlone) {
  Event event = MakeEvent(EventKind::kEvent);
  for (const char* type : {"system", "user_id_update"}) {
    event.type = type;
    EXPECT_EQ(TurnOf(event).kind(), mesh::bus::v1::TURN_KIND_IDENTITY_CHANGE);
  }
  event.channel = mesh::bus::v1::CHANNEL_MESSENGER;
  EXPECT_EQ(TurnOf(event).kind(), mesh::bus::v1::TURN_KIND_EVENT);
}

TEST_F(EventRecordsTest, AnUnsendNamesItsTurnAndNothingOfItsContent) {
  for (const EventKind kind : {EventKind::kEvent, EventKind::kStandby}) {
    Event event = MakeEvent(kind);
    event.type = "revoke";
    event.message_id = "wamid.2";
    event.unsent_message_id = "wamid.1";
    event.original = R"({"text":"hello"})";
    event.attachments.emplace_back().set_type("image");
    const Turn turn = TurnOf(event);
    EXPECT_EQ(turn.kind(), mesh::bus::v1::TURN_KIND_UNSEND);
    EXPECT_EQ(turn.target_turn_id(), TurnOf(MakeEvent(EventKind::kMessage)).turn_id());
    EXPECT_NE(turn.turn_id(), turn.target_turn_id());
    EXPECT_EQ(Record(event).value.find("hello"), std::string::npos);
    EXPECT_EQ(turn.attachments_size(), 0);
  }
}

TEST_F(EventRecordsTest, WhatSaysWhoAnswersIsAControlRecord) {
  Event event = MakeEvent(EventKind::kEvent);
  event.type = "user_preferences";
  event.control = mesh::bus::v1::CONTROL_ACTION_OPT_OUT;
  EXPECT_EQ(TurnOf(event).kind(), mesh::bus::v1::TURN_KIND_CONTROL);
  EXPECT_EQ(TurnOf(event).control(), mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  EXPECT_EQ(TurnOf(MakeEvent(EventKind::kMessage)).control(), mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED);
}

// Threads are handed over between apps, and an account may tell which app is its own.
TEST_F(EventRecordsTest, TheAccountsAppIdDecidesWhoHasAThreadWhereTheEventNamesTheOwner) {
  Event event = MakeEvent(EventKind::kStandby);
  event.type = "pass_thread_control";
  event.control = mesh::bus::v1::CONTROL_ACTION_PAUSE;
  event.thread_owner_app_id = "77";
  EXPECT_EQ(TurnOf(event).kind(), mesh::bus::v1::TURN_KIND_CONTROL);
  EXPECT_EQ(TurnOf(event).control(), mesh::bus::v1::CONTROL_ACTION_PAUSE) << "the account names no app";
  account_.app_id = "77";
  EXPECT_EQ(TurnOf(event).control(), mesh::bus::v1::CONTROL_ACTION_RESUME);
  event.control = mesh::bus::v1::CONTROL_ACTION_RESUME;
  event.thread_owner_app_id = "78";
  EXPECT_EQ(TurnOf(event).control(), mesh::bus::v1::CONTROL_ACTION_PAUSE);
  event.thread_owner_app_id.clear();
  EXPECT_EQ(TurnOf(event).control(), mesh::bus::v1::CONTROL_ACTION_RESUME) << "the event names no owner";
}

// It stays a message: it may get an answer, and is part of the conversation.
TEST_F(EventRecordsTest, AWordOfTheAccountIsAMessageThatSaysWhatItAsksFor) {
  Event event = MakeEvent(EventKind::kMessage);
  EXPECT_EQ(TurnOf(event).control(), mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED);
  event.text = "Stop!";
  EXPECT_EQ(TurnOf(event).control(), mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  EXPECT_EQ(TurnOf(event).kind(), mesh::bus::v1::TURN_KIND_MESSAGE);
  EXPECT_EQ(TurnOf(event).text(), "Stop!");
}

TEST_F(EventRecordsTest, AStatusGoesToStatusesUnderTheSameKey) {
  Event event = MakeEvent(EventKind::kStatus);
  event.state = mesh::bus::v1::DELIVERY_STATE_FAILED;
  event.reply_id_hex = std::string(64, 'a');
  event.watermark_ms = 7;
  event.error_code = 131047;
  event.error_title = "Re-engagement message";
  const DeliveryStatus status = StatusOf(event);
  EXPECT_EQ(status.state(), mesh::bus::v1::DELIVERY_STATE_FAILED);
  EXPECT_EQ(status.message_id(), "wamid.1");
  EXPECT_EQ(status.reply_id_hex(), std::string(64, 'a'));
  EXPECT_EQ(status.watermark_ms(), 7);
  EXPECT_EQ(status.timestamp_ms(), 1000);
  EXPECT_EQ(status.error_code(), 131047);
  EXPECT_EQ(status.error_title(), "Re-engagement message");
  EXPECT_EQ(status.accepted_at_ms(), 5000);
  EXPECT_TRUE(status.text_digest().empty());
  EXPECT_EQ(Record(event).key, Record(MakeEvent(EventKind::kMessage)).key);
}

TEST_F(EventRecordsTest, AnEchoCarriesTheDigestOfItsTextAndNeverTheText) {
  const DeliveryStatus status = StatusOf(MakeEvent(EventKind::kEcho));
  EXPECT_EQ(status.state(), mesh::bus::v1::DELIVERY_STATE_ECHO);
  EXPECT_EQ(status.text_digest(), crypto::AsBytes(crypto::Sha256("hello")));
  EXPECT_EQ(Record(MakeEvent(EventKind::kEcho)).value.find("hello"), std::string::npos);
}

TEST_F(EventRecordsTest, StatusesOfOneMessageHaveDifferentIds) {
  Event sent = MakeEvent(EventKind::kStatus);
  sent.state = mesh::bus::v1::DELIVERY_STATE_SENT;
  Event read = sent;
  read.state = mesh::bus::v1::DELIVERY_STATE_READ;
  const auto id = [&](const Event& event) { return std::string(bus::FindHeader(Record(event).headers, "ce_id")); };
  EXPECT_EQ(id(sent), id(sent));
  EXPECT_NE(id(sent), id(read));
}

TEST_F(EventRecordsTest, WhatHasNoConversationIsIgnoredWithItsReason) {
  Event event = MakeEvent(EventKind::kError);
  event.error = "no_sender";
  EXPECT_EQ(IgnoredReason(event), "no_sender");
  EXPECT_EQ(IgnoredReason(MakeEvent(EventKind::kDuplicate)), "duplicate");
  for (const EventKind kind : {EventKind::kEvent, EventKind::kStatus, EventKind::kStandby}) {
    Event account_level = MakeEvent(kind);
    account_level.user.clear();
    EXPECT_EQ(IgnoredReason(account_level), "no_user");
  }
}

TEST_F(EventRecordsTest, TheLargestEventStaysBelowTheBrokersLimit) {
  Event event = MakeEvent(EventKind::kMessage);
  event.text = std::string(64 << 10, 't');
  event.original = std::string(64 << 10, 'o');
  for (int i = 0; i < 400; ++i) {
    auto& attachment = event.attachments.emplace_back();
    attachment.set_url(std::string(8 << 10, 'u'));
    attachment.set_id(std::string(1 << 10, 'i'));
  }
  EXPECT_LT(Record(event).value.size(), 512u << 10);
}

}  // namespace
}  // namespace gateway
