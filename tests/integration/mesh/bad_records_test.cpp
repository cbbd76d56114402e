// Records that no service of this version can use, on every topic that a service reads, in the very partition of a user
// who goes on writing. Goal: each ends in the dead letter, or is refused, with its reason, and the partition moves on.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/base/byte_key.h"
#include "libs/bus/group_lag.h"
#include "libs/bus/headers.h"
#include "libs/bus/log_reader.h"
#include "libs/bus/producer.h"
#include "libs/bus/topics.h"
#include "libs/identity/identity.h"
#include "tests/integration/harness/wait.h"
#include "tests/integration/mesh/mesh.h"

namespace mesh_test {
namespace {

using mesh::bus::v1::ConversationId;

constexpr std::int64_t kYear2100Ms = 4'102'444'800'000;
constexpr std::size_t kLargestValueBytes = (4 << 20) - 600;  // with key and headers the broker just takes it

base::MonotonicTime Soon() { return base::Clock::Real().Now() + std::chrono::seconds(20); }

ConversationId ConversationOf(const std::string& user) {
  ConversationId conversation;
  conversation.set_tenant("test");
  conversation.set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
  conversation.set_account(Mesh::AccountId("whatsapp"));
  conversation.set_user(user);
  return conversation;
}

mesh::bus::v1::Turn TurnOf(const ConversationId& conversation, const std::string& message) {
  mesh::bus::v1::Turn turn;
  *turn.mutable_conversation() = conversation;
  turn.set_message_id(message);
  turn.set_turn_id(identity::MakeTurnId(conversation, message).value());
  turn.set_kind(mesh::bus::v1::TURN_KIND_MESSAGE);
  turn.set_text("hello");
  return turn;
}

mesh::bus::v1::ReplyRecord ReplyOf(const ConversationId& conversation, const std::string& message) {
  mesh::bus::v1::ReplyRecord record;
  *record.mutable_reply()->mutable_conversation() = conversation;
  record.mutable_reply()->set_turn_id(identity::MakeTurnId(conversation, message).value());
  record.mutable_reply()->set_text("said");
  return record;
}

class BadRecordsTest : public testing::Test {
 protected:
  BadRecordsTest() : mesh_(SharedMesh()) {
    auto producer = bus::Producer::Create(mesh_.bus(), {}, "mesh_test", metrics_);
    EXPECT_TRUE(producer.ok()) << producer.status();
    producer_ = *std::move(producer);
    const auto partitions = bus::PartitionsOf(mesh_.bus(), bus::TopicName(mesh_.bus(), bus::kTurns), Soon());
    EXPECT_TRUE(partitions.ok()) << partitions.status();
    partitions_ = static_cast<std::int32_t>(partitions->size());
  }

  // Of the user whose partition this test spoils.
  void Use(const std::string& user) {
    conversation_ = ConversationOf(user);
    key_ = identity::KeyOf(conversation_).value();
    partition_ = bus::PartitionFor(key_, partitions_);
  }
  // Writes into that partition; returns the place of the record, as dead letters name it.
  std::string Write(std::string_view topic, const std::string& key, std::string value, const std::string& type = "") {
    bus::OutgoingRecord record;
    record.topic = bus::TopicName(mesh_.bus(), topic);
    record.partition = partition_;
    record.key = key;
    record.value = std::move(value);
    if (!type.empty()) record.headers = {{"ce_type", type}};
    const std::string name = record.topic;
    const auto position = producer_->ProduceAndWait(std::move(record));
    EXPECT_TRUE(position.ok()) << position.status();
    return position.ok() ? absl::StrCat(name, "/", partition_, "/", position->offset) : "";
  }
  // Place of the origin -> reason.
  std::map<std::string, std::string> DeadLetters() {
    std::map<std::string, std::string> letters;
    const auto partitions = bus::PartitionsOf(mesh_.bus(), bus::TopicName(mesh_.bus(), bus::kDeadLetter), Soon());
    EXPECT_TRUE(partitions.ok()) << partitions.status();
    if (!partitions.ok()) return letters;
    const absl::Status read = bus::ReadThrough(
        mesh_.bus(), "mesh_test", *partitions,
        [&](const bus::Record& record) {
          mesh::bus::v1::DeadLetter letter;
          if (!letter.ParseFromString(record.value)) return true;
          letters[absl::StrCat(letter.origin_topic(), "/", letter.origin_partition(), "/", letter.origin_offset())] =
              letter.reason();
          return true;
        },
        Soon());
    EXPECT_TRUE(read.ok()) << read;
    return letters;
  }
  void ExpectDeadLetters(const std::map<std::string, std::string>& wanted) {
    std::map<std::string, std::string> found;
    EXPECT_TRUE(harness::WaitUntil([&] {
      found = DeadLetters();
      return std::all_of(wanted.begin(), wanted.end(),
                         [&](const auto& letter) { return found.contains(letter.first); });
    })) << mesh_.LogEnds();
    for (const auto& [place, reason] : wanted) EXPECT_EQ(found[place], reason) << place;
  }
  // A message that comes behind the bad records of the partition is answered, and all groups reach the end.
  void ExpectMovesOn() {
    const std::size_t seen = mesh_.Screen(conversation_.user()).size();
    const std::string message = absl::StrCat("wamid.behind.", conversation_.user(), ".", seen);
    ASSERT_EQ(mesh_.PostText("whatsapp", conversation_.user(), message, "still there?"), 200);
    const std::vector<Send> screen = mesh_.WaitForScreen(conversation_.user(), seen + 1);
    ASSERT_EQ(screen.size(), seen + 1) << mesh_.LogEnds();
    EXPECT_EQ(screen.back().in_reply_to, message);
    for (const auto& [group, topic] : {std::pair{"worker", bus::kTurns}, std::pair{"sender", bus::kReplies},
                                       std::pair{"sender-statuses", bus::kStatuses}}) {
      EXPECT_TRUE(harness::WaitUntil([&, group = group, topic = topic] {
        const auto lags = bus::GroupTopicLag(mesh_.bus(), group, bus::TopicName(mesh_.bus(), topic)).Look(Soon());
        return lags.ok() && lags->at(static_cast<std::size_t>(partition_)).lag() == 0;
      })) << group
          << " does not finish the partition" << mesh_.LogEnds();
    }
    for (const char* service : {"gateway", "worker", "session", "sender"}) {
      EXPECT_TRUE(mesh_.process(service).IsRunning()) << service;
    }
  }
  double Refused(const std::string& reason) {
    return mesh_.Metric("sender", absl::StrCat(R"(sender_ledger_refused_total{reason=")", reason, R"("})"));
  }

  Mesh& mesh_;
  telemetry::Registry metrics_;
  std::unique_ptr<bus::Producer> producer_;
  std::int32_t partitions_ = 0;
  ConversationId conversation_;
  std::string key_;
  std::int32_t partition_ = 0;
};

TEST_F(BadRecordsTest, Turns) {
  Use("4917222000001");
  const std::string other_key = identity::KeyOf(ConversationOf("somebody else")).value();
  const mesh::bus::v1::Turn turn = TurnOf(conversation_, "wamid.bad");
  mesh::bus::v1::Turn event = turn;
  event.set_kind(mesh::bus::v1::TURN_KIND_EVENT);
  mesh::bus::v1::Turn identity_change = turn;
  identity_change.set_kind(mesh::bus::v1::TURN_KIND_IDENTITY_CHANGE);
  mesh::bus::v1::Turn newer = turn;
  newer.set_kind(static_cast<mesh::bus::v1::TurnKind>(99));
  mesh::bus::v1::Turn without_id = turn;
  without_id.clear_turn_id();
  ExpectDeadLetters({
      {Write(bus::kTurns, key_, ""), "undecodable"},
      {Write(bus::kTurns, key_, "\xff\xff not a protobuf"), "undecodable"},
      {Write(bus::kTurns, key_, std::string(kLargestValueBytes, '\xff')), "undecodable"},
      {Write(bus::kTurns, key_, without_id.SerializeAsString()), "undecodable"},
      {Write(bus::kTurns, key_, turn.SerializeAsString(), "mesh.bus.v2.Turn"), "unknown_schema"},
      {Write(bus::kTurns, key_, newer.SerializeAsString()), "unknown_schema"},
      {Write(bus::kTurns, other_key, turn.SerializeAsString()), "key_mismatch"},
      {Write(bus::kTurns, other_key, event.SerializeAsString()), "key_mismatch"},
      {Write(bus::kTurns, other_key, identity_change.SerializeAsString()), "key_mismatch"},
  });
  ExpectMovesOn();
  EXPECT_EQ(mesh_.Screen(conversation_.user()).size(), 1u) << "none of them was answered";
}

TEST_F(BadRecordsTest, Replies) {
  Use("4917222000002");
  const std::string other_key = identity::KeyOf(ConversationOf("somebody else")).value();
  const mesh::bus::v1::ReplyRecord reply = ReplyOf(conversation_, "wamid.bad");
  mesh::bus::v1::ReplyRecord supersede;
  *supersede.mutable_supersede()->mutable_conversation() = conversation_;
  supersede.mutable_supersede()->set_turn_id(reply.reply().turn_id());
  mesh::bus::v1::ReplyRecord without_id = reply;
  without_id.mutable_reply()->clear_turn_id();
  ExpectDeadLetters({
      {Write(bus::kReplies, key_, ""), "undecodable"},
      {Write(bus::kReplies, key_, "\xff\xff not a protobuf"), "undecodable"},
      {Write(bus::kReplies, key_, std::string("\x6a\x02\x08\x01", 4)), "unknown_schema"},  // a body not known yet
      {Write(bus::kReplies, key_, std::string(kLargestValueBytes, '\xff')), "undecodable"},
      {Write(bus::kReplies, key_, without_id.SerializeAsString()), "undecodable"},
      {Write(bus::kReplies, key_, reply.SerializeAsString(), "mesh.bus.v2.ReplyRecord"), "unknown_schema"},
      {Write(bus::kReplies, other_key, reply.SerializeAsString()), "key_mismatch"},
      {Write(bus::kReplies, other_key, supersede.SerializeAsString()), "key_mismatch"},
  });
  ExpectMovesOn();
  EXPECT_EQ(mesh_.Screen(conversation_.user()).size(), 1u) << "none of them was sent";
}

// As large as the broker takes: its plan must fit into the ledger all the same. Twenty parts are sent.
TEST_F(BadRecordsTest, TheLargestReplyIsCutAndSent) {
  Use("4917222000003");
  mesh::bus::v1::ReplyRecord reply = ReplyOf(conversation_, "wamid.large");
  std::string words;
  while (words.size() < kLargestValueBytes - 200) words += "word ";
  reply.mutable_reply()->set_text(words);
  Write(bus::kReplies, key_, reply.SerializeAsString());
  EXPECT_EQ(mesh_.WaitForScreen(conversation_.user(), 20).size(), 20u) << mesh_.LogEnds();
  ExpectMovesOn();
}

TEST_F(BadRecordsTest, TheLargestTurnIsAnsweredOrGivenUpWithANotice) {
  Use("4917222000004");
  mesh::bus::v1::Turn turn = TurnOf(conversation_, "wamid.large");
  turn.set_text(std::string(kLargestValueBytes - 200, 'x'));
  Write(bus::kTurns, key_, turn.SerializeAsString());
  EXPECT_GE(mesh_.WaitForScreen(conversation_.user(), 1).size(), 1u) << mesh_.LogEnds();
  ExpectMovesOn();
}

TEST_F(BadRecordsTest, Statuses) {
  Use("4917222000005");
  const std::string other_key = identity::KeyOf(ConversationOf("somebody else")).value();
  mesh::bus::v1::DeliveryStatus status;
  *status.mutable_conversation() = conversation_;
  status.set_message_id("wamid.unknown");
  status.set_state(mesh::bus::v1::DELIVERY_STATE_DELIVERED);
  mesh::bus::v1::DeliveryStatus newer = status;
  newer.set_state(static_cast<mesh::bus::v1::DeliveryState>(99));
  mesh::bus::v1::DeliveryStatus large = status;
  large.set_error_title(std::string(kLargestValueBytes - 200, 'x'));
  mesh::bus::v1::DeliveryStatus large_id = status;
  large_id.set_message_id(std::string((4 << 20) / 2, 'x'));  // stands twice in the evidence: in key and value
  Write(bus::kStatuses, key_, newer.SerializeAsString());
  Write(bus::kStatuses, key_, large.SerializeAsString());
  ExpectDeadLetters({
      {Write(bus::kStatuses, key_, ""), "key_mismatch"},
      {Write(bus::kStatuses, key_, "\xff\xff not a protobuf"), "undecodable"},
      {Write(bus::kStatuses, key_, std::string(kLargestValueBytes, '\xff')), "undecodable"},
      {Write(bus::kStatuses, key_, status.SerializeAsString(), "mesh.bus.v2.DeliveryStatus"), "unknown_schema"},
      {Write(bus::kStatuses, other_key, status.SerializeAsString()), "key_mismatch"},
      {Write(bus::kStatuses, key_, large_id.SerializeAsString()), "too_large"},
  });
  ExpectMovesOn();
}

TEST_F(BadRecordsTest, LedgerRecordsAreRefusedWithTheirReasonAndChangeNothing) {
  Use("4917222000006");
  const double undecodable = Refused("undecodable");
  const double unknown = Refused("unknown_schema");
  const double misplaced = Refused("key_mismatch");
  mesh::bus::v1::LedgerRecord takeover;  // were it taken, the sender would stand still for 30 s
  takeover.mutable_takeover()->set_owner("nobody");
  Write(bus::kSendLedger, "poison", "");
  Write(bus::kSendLedger, "poison", "\xff\xff not a protobuf");
  Write(bus::kSendLedger, "poison", std::string(kLargestValueBytes, '\xff'));
  Write(bus::kSendLedger, "poison", std::string("\x6a\x02\x08\x01", 4));
  Write(bus::kSendLedger, "poison", takeover.SerializeAsString(), "mesh.bus.v2.LedgerRecord");
  Write(bus::kSendLedger, "poison", takeover.SerializeAsString());
  EXPECT_TRUE(harness::WaitUntil([&] {
    return Refused("undecodable") == undecodable + 3 && Refused("unknown_schema") == unknown + 2 &&
           Refused("key_mismatch") == misplaced + 1;
  })) << mesh_.LogEnds();
  EXPECT_NE(mesh_.LogText("sender").find("ledger_record_refused"), std::string::npos);
  ExpectMovesOn();
}

// A CLAIM of a term that this log has not reached, dated in the next century, as a log that was made anew or a clock
// gone wrong may leave one. Whether its POST went out nobody knows: a doubt like any other, ended by its policy.
TEST_F(BadRecordsTest, ALedgerRecordFromTheFutureIsADoubtThatEnds) {
  Use("4917222000007");
  const mesh::bus::v1::ReplyRecord reply = ReplyOf(conversation_, "wamid.future");
  const std::string& turn_id = reply.reply().turn_id();
  const std::string reply_id =
      identity::MakeReplyId(identity::TurnId(turn_id), 0, mesh::bus::v1::REPLY_KIND_ANSWER, 0).value();
  constexpr std::int64_t kFutureTerm = std::int64_t{1} << 40;
  mesh_.process("sender").Terminate(std::chrono::seconds(15));
  const std::string place = Write(bus::kReplies, key_, reply.SerializeAsString());
  mesh::bus::v1::LedgerRecord plan;
  plan.mutable_plan()->set_turn_id(turn_id);
  *plan.mutable_plan()->mutable_conversation() = conversation_;
  plan.mutable_plan()->add_parts("said");
  plan.mutable_plan()->set_replies_offset(std::stoll(place.substr(place.rfind('/') + 1)));
  plan.set_written_at_ms(kYear2100Ms);
  Write(bus::kSendLedger, base::JoinLengthPrefixed({"plan", turn_id, "0", "0", std::to_string(kFutureTerm)}),
        plan.SerializeAsString());
  mesh::bus::v1::LedgerRecord claim;
  claim.mutable_claim()->set_reply_id(reply_id);
  claim.mutable_claim()->set_term(kFutureTerm);
  claim.set_written_at_ms(kYear2100Ms);
  Write(bus::kSendLedger, base::JoinLengthPrefixed({"claim", reply_id, std::to_string(kFutureTerm)}),
        claim.SerializeAsString());
  ASSERT_TRUE(mesh_.Restart("sender").ok());
  ASSERT_TRUE(mesh_.WaitReady("sender").ok());
  const std::vector<Send> screen = mesh_.WaitForScreen(conversation_.user(), 1);
  ASSERT_EQ(screen.size(), 1u) << mesh_.LogEnds();
  EXPECT_EQ(screen[0].text, "said");
  ExpectMovesOn();
  EXPECT_EQ(mesh_.Screen(conversation_.user()).size(), 2u) << "resent once";
}

// Tools read the whole log, must not stop at what no service could read, and show once what a crash wrote twice.
TEST_F(BadRecordsTest, ToolsSayWhatTheyCannotReadAndShowCopiesOnce) {
  Use("4917222000008");
  ExpectMovesOn();
  for (const std::string_view topic :
       {bus::kTurns, bus::kReplies, bus::kSendLedger, bus::kStatuses, bus::kParked, bus::kAudit}) {
    if (topic == bus::kAudit) partition_ = 0;
    Write(topic, key_, "\xff\xff not a protobuf");
  }
  partition_ = 0;
  Write(bus::kDeadLetter, key_, "\xff\xff not a letter");
  mesh::bus::v1::DeadLetter letter;
  letter.set_reason("deadline");
  letter.set_origin_topic("mesh.turns");
  letter.set_origin_offset(987'654);
  letter.set_service("worker");
  Write(bus::kDeadLetter, key_, letter.SerializeAsString());
  letter.set_dead_at_ms(1);  // the second life of the worker wrote it later
  Write(bus::kDeadLetter, key_, letter.SerializeAsString());
  const Mesh::CommandResult list = mesh_.Meshctl({"dead-letter", "list"});
  EXPECT_EQ(list.code, 0) << list.output;
  EXPECT_NE(list.output.find("1 records could not be read"), std::string::npos) << list.output;
  EXPECT_NE(list.output.find("1 copies of them are not shown"), std::string::npos) << list.output;
  EXPECT_EQ(list.output.find("mesh.turns/0/987654"), list.output.rfind("mesh.turns/0/987654")) << list.output;
  const std::string message = mesh_.Screen(conversation_.user()).at(0).in_reply_to;
  EXPECT_EQ(mesh_.Meshctl({"trace", message}).code, 0);
  const std::string key = absl::StrCat("--key=whatsapp/", conversation_.account(), "/", conversation_.user());
  EXPECT_EQ(mesh_.Meshctl({"replay", "--from=beginning", key}).code, 0);
  EXPECT_EQ(mesh_.Meshctl({"session", "rebuild", "--from=beginning"}).code, 0);
  EXPECT_EQ(mesh_.Meshctl({"lag"}).code, 0);
}

}  // namespace
}  // namespace mesh_test
