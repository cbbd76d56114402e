#include "libs/ledger/ledger_record.h"

#include <gtest/gtest.h>

#include <set>

#include "libs/base/hex.h"

namespace ledger {
namespace {

const identity::ReplyId kReply(std::string(32, 'r'));
const std::vector<mesh::bus::v1::OutboundPart> kParts(1);
const TurnKey kTurn{std::string(32, 't'), 0};

mesh::bus::v1::Reply ReplyOf(mesh::bus::v1::ReplyKind kind = mesh::bus::v1::REPLY_KIND_ANSWER) {
  mesh::bus::v1::Reply reply;
  reply.set_turn_id(kTurn.turn_id);
  reply.set_kind(kind);
  return reply;
}

// Compaction keeps the newest record of a key, so records that both matter must differ in theirs.
TEST(LedgerRecordTest, NoTwoRecordsThatBothMatterShareAKey) {
  const std::set<std::string> keys = {
      MakePlan(ReplyOf(), kParts, 1, /*term=*/5, 0).key,
      MakePlan(ReplyOf(), kParts, 1, /*term=*/6, 0).key,
      MakePlan(ReplyOf(mesh::bus::v1::REPLY_KIND_FALLBACK), kParts, 1, /*term=*/6, 0).key,
      MakeClaim(kReply, 5, 0, 0).key,
      MakeClaim(kReply, 6, 0, 0).key,
      MakeSent(kReply, 5, 9, "m", 0).key,
      MakeFailed(kReply, 6, 9, 1, "send_failed", 0).key,
      MakeSupersede(kTurn.turn_id, {}, mesh::bus::v1::DROP_POLICY_SUPERSEDED, 2, 0).key,
      MakeTakeover("a/1", 0).key,
      MakeTakeover("a/2", 0).key,
  };
  EXPECT_EQ(keys.size(), 10u);
}

TEST(LedgerRecordTest, ReleaseErasesTheClaimItMakesMeaningless) {
  EXPECT_EQ(MakeRelease(kReply, 5, 9, 0).key, MakeClaim(kReply, 5, 0, 0).key);
}

TEST(LedgerRecordTest, StatusThatNamesNothingGivesNoEvidence) {
  mesh::bus::v1::DeliveryStatus watermark;
  watermark.set_watermark_ms(123);
  watermark.set_reply_id_hex("abcd");  // not a reply id of ours
  EXPECT_TRUE(MakeEvidence(watermark, 0).key.empty());
}

TEST(LedgerRecordTest, EvidenceCarriesTheReplyIdAsBytes) {
  mesh::bus::v1::DeliveryStatus status;
  status.set_reply_id_hex(base::ToHex(kReply.value()));
  status.set_message_id("wamid.1");
  status.set_state(mesh::bus::v1::DELIVERY_STATE_SENT);
  status.mutable_conversation()->set_account("1001");
  const LedgerEntry entry = MakeEvidence(status, 77);
  EXPECT_EQ(entry.record.evidence().conversation().account(), "1001") << "whose word it is";
  EXPECT_EQ(entry.record.evidence().reply_id(), kReply.value());
  EXPECT_EQ(entry.record.evidence().message_id(), "wamid.1");
  EXPECT_EQ(entry.record.written_at_ms(), 77);
  EXPECT_FALSE(entry.key.empty());
}

TEST(LedgerRecordTest, DigestsOfDifferentTurnsDiffer) {
  TurnKey other = kTurn;
  other.generation = 1;
  EXPECT_NE(DigestOf(kTurn), DigestOf(other));
  other = kTurn;
  other.fallback = true;
  EXPECT_NE(DigestOf(kTurn), DigestOf(other));
}

}  // namespace
}  // namespace ledger
