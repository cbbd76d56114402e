#include "services/meshctl/parked_copies.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "libs/base/hex.h"
#include "libs/identity/identity.h"
#include "libs/ledger/ledger_record.h"

namespace meshctl {
namespace {

class ParkedCopiesTest : public testing::Test {
 protected:
  static mesh::bus::v1::Reply ReplyTo(char turn) {
    mesh::bus::v1::Reply reply;
    reply.mutable_conversation()->set_tenant("acme");
    reply.mutable_conversation()->set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
    reply.mutable_conversation()->set_account("1001");
    reply.mutable_conversation()->set_user("ann");
    reply.set_turn_id(std::string(32, turn));
    return reply;
  }
  static bus::Record CopyOf(std::int64_t offset, const mesh::bus::v1::Reply& reply) {
    mesh::bus::v1::ReplyRecord value;
    *value.mutable_reply() = reply;
    return {.topic = "mesh.parked",
            .partition = 3,
            .offset = offset,
            .key = identity::KeyOf(reply.conversation()).value(),
            .value = value.SerializeAsString(),
            .headers = {{"ce_type", "mesh.bus.v1.ReplyRecord"}, {"mesh-parked", "in_doubt"}}};
  }
  bus::Record InLedger(const ledger::LedgerEntry& entry) {
    return {.topic = "mesh.send-ledger",
            .partition = 3,
            .offset = ++ledger_offset_,
            .key = entry.key,
            .value = entry.record.SerializeAsString(),
            .headers = {{"ce_type", "mesh.bus.v1.LedgerRecord"}}};
  }
  // Planned, and in doubt for good.
  void Park(char turn) {
    std::vector<mesh::bus::v1::OutboundPart> parts(1);
    parts[0].set_text("words");
    copies_.OnLedger(InLedger(ledger::MakePlan(ReplyTo(turn), parts, 1, /*term=*/0, 0)));
    copies_.OnLedger(InLedger(ledger::MakeClaim(IdOf(turn), /*term=*/0, 0, 0)));
    copies_.OnLedger(InLedger(ledger::MakeParked(IdOf(turn), /*term=*/0, ledger_offset_, 0)));
  }
  static identity::ReplyId IdOf(char turn) {
    return identity::MakeReplyId(identity::TurnId(std::string(32, turn)), 0, mesh::bus::v1::REPLY_KIND_ANSWER, 0);
  }
  static ledger::LedgerEntry Delivered(char turn) {
    mesh::bus::v1::DeliveryStatus status;
    status.set_reply_id_hex(base::ToHex(IdOf(turn).value()));
    status.set_state(mesh::bus::v1::DELIVERY_STATE_DELIVERED);
    return ledger::MakeEvidence(status, 0);
  }

  ParkedCopies copies_{/*copies_max=*/2};
  std::int64_t ledger_offset_ = 0;
};

TEST_F(ParkedCopiesTest, ACopyIsNamedByItsPlaceAndSaysWhyItIsThere) {
  copies_.OnParked(CopyOf(17, ReplyTo('a')));
  ASSERT_TRUE(copies_.by_name().contains("3-17"));
  EXPECT_EQ(copies_.by_name().at("3-17").reason, "in_doubt");
  EXPECT_EQ(copies_.by_name().at("3-17").reply.turn_id(), std::string(32, 'a'));
}

TEST_F(ParkedCopiesTest, AStatusEndsTheDoubtAboutAParkedReply) {
  Park('a');
  EXPECT_FALSE(copies_.HasEnded(ReplyTo('a')));
  copies_.OnLedger(InLedger(Delivered('a')));
  EXPECT_TRUE(copies_.HasEnded(ReplyTo('a')));
}

TEST_F(ParkedCopiesTest, WhatNoSenderWouldTakeIsPassedOver) {
  bus::Record misplaced = CopyOf(1, ReplyTo('a'));
  misplaced.key = "another conversation";
  copies_.OnParked(misplaced);
  bus::Record newer = CopyOf(2, ReplyTo('b'));
  newer.headers[0].second = "mesh.bus.v2.ReplyRecord";
  copies_.OnParked(newer);
  EXPECT_TRUE(copies_.by_name().empty());
  EXPECT_EQ(copies_.passed_over(), 2u);
}

TEST_F(ParkedCopiesTest, ALedgerRecordUnderAForeignKeyOrOfAForeignTypeEndsNothing) {
  Park('a');
  bus::Record misplaced = InLedger(Delivered('a'));
  misplaced.key = Delivered('b').key;
  copies_.OnLedger(misplaced);
  bus::Record newer = InLedger(Delivered('a'));
  newer.headers[0].second = "mesh.bus.v2.LedgerRecord";
  copies_.OnLedger(newer);
  EXPECT_FALSE(copies_.HasEnded(ReplyTo('a')));
}

TEST_F(ParkedCopiesTest, MoreThanFitAreSaidToBeTooMany) {
  for (const char turn : {'a', 'b'}) copies_.OnParked(CopyOf(turn, ReplyTo(turn)));
  EXPECT_FALSE(copies_.too_many());
  copies_.OnParked(CopyOf('c', ReplyTo('c')));
  EXPECT_TRUE(copies_.too_many());
}

}  // namespace
}  // namespace meshctl
