#include "libs/records/reply_record.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "libs/identity/identity.h"

namespace records {
namespace {

using mesh::bus::v1::ReplyRecord;

mesh::bus::v1::ConversationId Ann() {
  mesh::bus::v1::ConversationId conversation;
  conversation.set_tenant("acme");
  conversation.set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
  conversation.set_user("ann");
  return conversation;
}

ReplyRecord Answer() {
  ReplyRecord record;
  *record.mutable_reply()->mutable_conversation() = Ann();
  record.mutable_reply()->set_turn_id(std::string(32, 't'));
  record.mutable_reply()->set_text("hello");
  return record;
}

ReplyRecord Withdrawal() {
  ReplyRecord record;
  *record.mutable_supersede()->mutable_conversation() = Ann();
  record.mutable_supersede()->set_turn_id(std::string(32, 'w'));
  return record;
}

bus::Record Written(const ReplyRecord& value) {
  bus::Record record;
  record.key = identity::KeyOf(Ann()).value();
  record.value = value.SerializeAsString();
  record.headers = {{"ce_type", kReplyType}};
  return record;
}

std::optional<RefusalReason> RefusalOf(const bus::Record& record) {
  const auto decoded = DecodeReply(record);
  const auto parked = DecodeParked(record);
  if (decoded.ok()) return std::nullopt;
  EXPECT_TRUE(!parked.ok() && parked.refusal().reason == decoded.refusal().reason) << "one rule for both topics";
  return decoded.refusal().reason;
}

TEST(ReplyRecordTest, RepliesAndWithdrawalsAreRead) {
  const auto answer = DecodeReply(Written(Answer()));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->reply().text(), "hello");
  EXPECT_EQ(TurnIdOf(*answer), std::string(32, 't'));
  const auto withdrawal = DecodeReply(Written(Withdrawal()));
  ASSERT_TRUE(withdrawal.ok());
  EXPECT_EQ(TurnIdOf(*withdrawal), std::string(32, 'w'));
  bus::Record without_headers = Written(Answer());
  without_headers.headers.clear();
  EXPECT_EQ(RefusalOf(without_headers), std::nullopt) << "as tools write them";
}

TEST(ReplyRecordTest, OnlyRepliesWaitInParked) {
  const auto parked = DecodeParked(Written(Answer()));
  ASSERT_TRUE(parked.ok());
  EXPECT_EQ(parked->text(), "hello");
  const auto withdrawal = DecodeParked(Written(Withdrawal()));
  ASSERT_FALSE(withdrawal.ok());
  EXPECT_EQ(withdrawal.refusal().reason, RefusalReason::kUndecodable);
}

TEST(ReplyRecordTest, BytesThatAreNoReplyAreRefused) {
  for (const char* value : {"", "\xff\xff not a protobuf"}) {
    bus::Record record = Written(Answer());
    record.value = value;
    EXPECT_EQ(RefusalOf(record), RefusalReason::kUndecodable);
  }
  ReplyRecord record = Answer();
  record.mutable_reply()->set_turn_id("short");
  EXPECT_EQ(RefusalOf(Written(record)), RefusalReason::kUndecodable);
}

TEST(ReplyRecordTest, AForeignTypeOrKeyIsRefused) {
  for (const ReplyRecord& value : {Answer(), Withdrawal()}) {
    bus::Record other_type = Written(value);
    other_type.headers = {{"ce_type", "mesh.bus.v2.ReplyRecord"}};
    EXPECT_EQ(RefusalOf(other_type), RefusalReason::kUnknownSchema);
    bus::Record misplaced = Written(value);
    misplaced.key += "x";
    EXPECT_EQ(RefusalOf(misplaced), RefusalReason::kKeyMismatch);
  }
}

}  // namespace
}  // namespace records
