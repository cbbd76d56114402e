#include "libs/ledger/ledger_reading.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "libs/ledger/ledger_record.h"

namespace ledger {
namespace {

using records::RefusalReason;

const identity::ReplyId kReply(std::string(32, 'r'));

mesh::bus::v1::ConversationId Conversation() {
  mesh::bus::v1::ConversationId conversation;
  conversation.set_tenant("acme");
  conversation.set_user("ann");
  return conversation;
}

bus::Record Written(const LedgerEntry& entry) {
  bus::Record record;
  record.key = entry.key;
  record.value = entry.record.SerializeAsString();
  record.headers = {{"ce_type", kLedgerRecordType}};
  return record;
}

std::optional<RefusalReason> RefusalOf(const bus::Record& record) {
  const auto decoded = DecodeLedgerRecord(record);
  return decoded.ok() ? std::nullopt : std::optional(decoded.refusal().reason);
}

// One of each kind that the sender writes.
std::vector<LedgerEntry> AllKinds() {
  mesh::bus::v1::Reply reply;
  reply.set_turn_id(std::string(32, 't'));
  reply.set_generation(2);
  *reply.mutable_conversation() = Conversation();
  mesh::bus::v1::Reply fallback = reply;
  fallback.set_kind(mesh::bus::v1::REPLY_KIND_FALLBACK);
  mesh::bus::v1::DeliveryStatus named;
  named.set_reply_id_hex(std::string(64, 'a'));
  mesh::bus::v1::DeliveryStatus unnamed;
  *unnamed.mutable_conversation() = Conversation();
  unnamed.set_message_id("mid.1");
  unnamed.set_text_digest("digest");
  return {MakePlan(reply, std::vector<mesh::bus::v1::OutboundPart>(1), 1, 5, 0),
          MakeClaim(kReply, 5, 0, 0),
          MakeRelease(kReply, 5, 9, 0),
          MakeSent(kReply, 5, 9, "m", 0),
          MakeFailed(kReply, 5, 9, 1, "deadline", 0),
          MakeParked(kReply, 5, 9, 0),
          MakeSuperseded(kReply, 5, 0),
          MakeSupersede(std::string(32, 't'), Conversation(), mesh::bus::v1::DROP_POLICY_SUPERSEDED, 2, 0),
          MakeParkedReply(reply, 2, 7, 5, 0),
          MakeParkedReply(fallback, 3, 8, 5, 0),
          MakeReturned(KeyOf(reply), 7, 0),
          MakeReturned(KeyOf(fallback), 8, 0),
          MakeTakeover("a/1", 0),
          MakeEvidence(named, 0),
          MakeEvidence(unnamed, 0)};
}

TEST(LedgerReadingTest, EveryKindThatIsWrittenIsRead) {
  for (const LedgerEntry& entry : AllKinds()) {
    const auto decoded = DecodeLedgerRecord(Written(entry));
    ASSERT_TRUE(decoded.ok()) << entry.record.DebugString();
    EXPECT_EQ(decoded->SerializeAsString(), entry.record.SerializeAsString());
  }
}

TEST(LedgerReadingTest, AKeyThatIsAnotherRecordsIsRefused) {
  const std::vector<LedgerEntry> entries = AllKinds();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    for (const std::string& key : {std::string(), std::string("poison"), entries[(i + 3) % entries.size()].key}) {
      if (key == entries[i].key) continue;  // CLAIM and RELEASED, SENT and its kin share theirs
      bus::Record record = Written(entries[i]);
      record.key = key;
      EXPECT_EQ(RefusalOf(record), RefusalReason::kKeyMismatch) << entries[i].record.DebugString();
    }
  }
}

TEST(LedgerReadingTest, WhatANewerVersionWroteIsRefused) {
  bus::Record other_type = Written(MakeTakeover("a/1", 0));
  other_type.headers = {{"ce_type", "mesh.bus.v2.LedgerRecord"}};
  EXPECT_EQ(RefusalOf(other_type), RefusalReason::kUnknownSchema);
  bus::Record other_kind = Written(MakeTakeover("a/1", 0));
  other_kind.value = std::string("\x6a\x02\x08\x01", 4);  // field 13, a message
  EXPECT_EQ(RefusalOf(other_kind), RefusalReason::kUnknownSchema);
}

TEST(LedgerReadingTest, BytesThatAreNoRecordAreRefused) {
  for (const char* value : {"", "\xff\xff not a protobuf"}) {
    bus::Record record = Written(MakeTakeover("a/1", 0));
    record.value = value;
    EXPECT_EQ(RefusalOf(record), RefusalReason::kUndecodable);
  }
  bus::Record without_headers = Written(MakeTakeover("a/1", 0));
  without_headers.headers.clear();
  EXPECT_EQ(RefusalOf(without_headers), std::nullopt) << "as tools write them";
}

}  // namespace
}  // namespace ledger
