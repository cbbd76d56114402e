#include "libs/records/turn_record.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "libs/identity/identity.h"

namespace records {
namespace {

using mesh::bus::v1::Turn;

Turn Message() {
  Turn turn;
  turn.mutable_conversation()->set_tenant("acme");
  turn.mutable_conversation()->set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
  turn.mutable_conversation()->set_user("ann");
  turn.set_turn_id(std::string(32, 't'));
  turn.set_kind(mesh::bus::v1::TURN_KIND_MESSAGE);
  turn.set_text("hello");
  return turn;
}

bus::Record Written(const Turn& turn) {
  bus::Record record;
  record.key = identity::KeyOf(turn.conversation()).value();
  record.value = turn.SerializeAsString();
  record.headers = {{"ce_type", kTurnType}};
  return record;
}

std::optional<RefusalReason> RefusalOf(const bus::Record& record) {
  const auto decoded = DecodeTurn(record);
  return decoded.ok() ? std::nullopt : std::optional(decoded.refusal().reason);
}

TEST(TurnRecordTest, WhatIsWrittenIsRead) {
  const auto decoded = DecodeTurn(Written(Message()));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->SerializeAsString(), Message().SerializeAsString());
  bus::Record without_headers = Written(Message());
  without_headers.headers.clear();
  EXPECT_EQ(RefusalOf(without_headers), std::nullopt) << "as tools write them";
}

TEST(TurnRecordTest, BytesThatAreNoTurnAreRefused) {
  for (const char* value : {"", "\xff\xff not a protobuf"}) {
    bus::Record record = Written(Message());
    record.value = value;
    EXPECT_EQ(RefusalOf(record), RefusalReason::kUndecodable);
  }
  Turn turn = Message();
  turn.set_turn_id("short");
  EXPECT_EQ(RefusalOf(Written(turn)), RefusalReason::kUndecodable);
  turn = Message();
  turn.clear_kind();
  EXPECT_EQ(RefusalOf(Written(turn)), RefusalReason::kUndecodable);
}

TEST(TurnRecordTest, WhatANewerVersionWroteIsRefused) {
  bus::Record other_type = Written(Message());
  other_type.headers = {{"ce_type", "mesh.bus.v2.Turn"}};
  EXPECT_EQ(RefusalOf(other_type), RefusalReason::kUnknownSchema);
  Turn turn = Message();
  turn.set_kind(static_cast<mesh::bus::v1::TurnKind>(1000));
  EXPECT_EQ(RefusalOf(Written(turn)), RefusalReason::kUnknownSchema);
  turn = Message();
  turn.set_control(static_cast<mesh::bus::v1::ControlAction>(1000));
  EXPECT_EQ(RefusalOf(Written(turn)), RefusalReason::kUnknownSchema);
}

TEST(TurnRecordTest, AForeignKeyIsRefused) {
  bus::Record record = Written(Message());
  record.key += "x";
  EXPECT_EQ(RefusalOf(record), RefusalReason::kKeyMismatch);
}

TEST(TurnRecordTest, EveryReasonIsADeadLettersAndHasItsName) {
  EXPECT_EQ(ToString(RefusalReason::kUndecodable), "undecodable");
  EXPECT_EQ(ToString(RefusalReason::kUnknownSchema), "unknown_schema");
  EXPECT_EQ(ToString(RefusalReason::kKeyMismatch), "key_mismatch");
  for (const RefusalReason reason : kRefusalReasons) {
    EXPECT_EQ(ToString(reason), bus::ToString(DeadLetterReasonOf(reason)));
  }
}

}  // namespace
}  // namespace records
