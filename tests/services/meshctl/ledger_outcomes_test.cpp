#include "services/meshctl/ledger_outcomes.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "libs/crypto/digest.h"
#include "libs/identity/identity.h"

namespace meshctl {
namespace {

using mesh::bus::v1::LedgerRecord;
using mesh::bus::v1::LedgerSent;
using namespace mesh::session::v1;  // the outcomes

std::string TurnIdOf(const std::string& name) { return std::string(crypto::AsBytes(crypto::Sha256(name))); }

// One ledger partition, written record by record as senders do.
class LedgerOutcomesTest : public testing::Test {
 protected:
  static mesh::bus::v1::ConversationId Ann() {
    mesh::bus::v1::ConversationId id;
    id.set_tenant("acme");
    id.set_channel(mesh::bus::v1::CHANNEL_INSTAGRAM);
    id.set_account("1001");
    id.set_user("ann");
    return id;
  }
  static std::string ReplyId(const std::string& turn, std::uint32_t part, std::uint32_t generation = 0) {
    return identity::MakeReplyId(identity::TurnId(TurnIdOf(turn)), generation, mesh::bus::v1::REPLY_KIND_ANSWER, part)
        .value();
  }
  // The outcome told because of this record.
  std::optional<Outcome> Apply(const LedgerRecord& record) {
    last_ = outcomes_.Apply(offset_++, record);
    return last_ ? std::optional(last_->outcome()) : std::nullopt;
  }
  std::int64_t TakeOver() {
    LedgerRecord record;
    record.mutable_takeover()->set_owner("sender");
    Apply(record);
    return offset_ - 1;
  }
  std::optional<Outcome> Plan(const std::string& turn, const std::vector<std::string>& parts,
                              mesh::bus::v1::ReplyKind kind = mesh::bus::v1::REPLY_KIND_ANSWER,
                              std::uint32_t generation = 0, std::int64_t replies_offset = 0) {
    LedgerRecord record;
    auto* plan = record.mutable_plan();
    plan->set_replies_offset(replies_offset);
    plan->set_turn_id(TurnIdOf(turn));
    plan->set_kind(kind);
    plan->set_generation(generation);
    *plan->mutable_conversation() = Ann();
    for (const std::string& part : parts) plan->add_parts(part);
    return Apply(record);
  }
  void Park(const std::string& turn, std::int64_t replies_offset, std::int64_t term) {
    LedgerRecord record;
    record.mutable_parked()->set_turn_id(TurnIdOf(turn));
    *record.mutable_parked()->mutable_conversation() = Ann();
    record.mutable_parked()->set_replies_offset(replies_offset);
    record.mutable_parked()->set_term(term);
    EXPECT_FALSE(Apply(record));
  }
  std::int64_t Claim(const std::string& reply_id, std::int64_t term) {
    LedgerRecord record;
    record.mutable_claim()->set_reply_id(reply_id);
    record.mutable_claim()->set_term(term);
    EXPECT_FALSE(Apply(record));
    return offset_ - 1;
  }
  std::optional<Outcome> Sent(const std::string& reply_id, LedgerSent::Outcome outcome, std::int64_t claim,
                              const std::string& message_id = "") {
    LedgerRecord record;
    record.mutable_sent()->set_reply_id(reply_id);
    record.mutable_sent()->set_outcome(outcome);
    record.mutable_sent()->set_claim_offset(claim);
    record.mutable_sent()->set_message_id(message_id);
    return Apply(record);
  }
  std::optional<Outcome> Evidence(const std::string& reply_id, mesh::bus::v1::DeliveryState state) {
    LedgerRecord record;
    record.mutable_evidence()->set_reply_id(reply_id);
    record.mutable_evidence()->set_state(state);
    return Apply(record);
  }

  LedgerOutcomes outcomes_{/*settled_max=*/100};
  std::int64_t offset_ = 10;
  std::optional<SetOutcomeRequest> last_;
};

TEST_F(LedgerOutcomesTest, AReplyIsSentWithItsLastPartAndThenDeliveredAndRead) {
  const std::int64_t term = TakeOver();
  EXPECT_FALSE(Plan("t1", {"one", "two"}));
  EXPECT_FALSE(Sent(ReplyId("t1", 0), LedgerSent::OUTCOME_SENT, Claim(ReplyId("t1", 0), term)));
  EXPECT_EQ(Sent(ReplyId("t1", 1), LedgerSent::OUTCOME_SENT, Claim(ReplyId("t1", 1), term), "mid.2"), OUTCOME_SENT);
  ASSERT_TRUE(last_);
  EXPECT_EQ(last_->turn_id(), TurnIdOf("t1"));
  EXPECT_EQ(last_->conversation().user(), "ann");
  EXPECT_TRUE(last_->reply_text().empty());
  EXPECT_FALSE(Evidence(ReplyId("t1", 0), mesh::bus::v1::DELIVERY_STATE_READ)) << "the last part's to tell";
  EXPECT_EQ(Evidence(ReplyId("t1", 1), mesh::bus::v1::DELIVERY_STATE_DELIVERED), OUTCOME_DELIVERED);
  LedgerRecord by_message;
  by_message.mutable_evidence()->set_message_id("mid.2");
  by_message.mutable_evidence()->set_state(mesh::bus::v1::DELIVERY_STATE_READ);
  EXPECT_EQ(Apply(by_message), OUTCOME_READ);
}

TEST_F(LedgerOutcomesTest, WhatCertainlyFailedOrWasDroppedSaysSo) {
  const std::int64_t term = TakeOver();
  EXPECT_FALSE(Plan("failed", {"one"}));
  const std::int64_t claim = Claim(ReplyId("failed", 0), term);
  EXPECT_FALSE(Sent(ReplyId("failed", 0), LedgerSent::OUTCOME_RELEASED, claim));
  EXPECT_FALSE(Sent(ReplyId("failed", 0), LedgerSent::OUTCOME_FAILED, claim)) << "names a claim that was given back";
  EXPECT_EQ(Sent(ReplyId("failed", 0), LedgerSent::OUTCOME_FAILED, 0), OUTCOME_FAILED);
  EXPECT_FALSE(Plan("dropped", {"one"}));
  EXPECT_EQ(Sent(ReplyId("dropped", 0), LedgerSent::OUTCOME_SUPERSEDED, 0), OUTCOME_SUPERSEDED);
  EXPECT_EQ(Plan("never said", {}), OUTCOME_SUPERSEDED);
  EXPECT_FALSE(Plan("not delivered", {"one"}));
  EXPECT_EQ(Sent(ReplyId("not delivered", 0), LedgerSent::OUTCOME_SENT, Claim(ReplyId("not delivered", 0), term)),
            OUTCOME_SENT);
  EXPECT_EQ(Evidence(ReplyId("not delivered", 0), mesh::bus::v1::DELIVERY_STATE_FAILED), OUTCOME_FAILED);
}

TEST_F(LedgerOutcomesTest, AClaimBehindAForeignTakeoverIsVoid) {
  const std::int64_t old_term = TakeOver();
  EXPECT_FALSE(Plan("t1", {"one"}));
  TakeOver();
  const std::int64_t void_claim = Claim(ReplyId("t1", 0), old_term);
  EXPECT_FALSE(Evidence(ReplyId("t1", 0), mesh::bus::v1::DELIVERY_STATE_DELIVERED)) << "never claimed";
  EXPECT_FALSE(Sent(ReplyId("t1", 0), LedgerSent::OUTCOME_FAILED, void_claim));
  EXPECT_EQ(Sent(ReplyId("t1", 0), LedgerSent::OUTCOME_SENT, void_claim), OUTCOME_SENT) << "the user saw it";
}

TEST_F(LedgerOutcomesTest, EvidenceAloneSettlesAClaimAlsoByItsWords) {
  const std::int64_t term = TakeOver();
  EXPECT_FALSE(Plan("t1", {"one"}));
  Claim(ReplyId("t1", 0), term);
  LedgerRecord echo;
  *echo.mutable_evidence()->mutable_conversation() = Ann();
  echo.mutable_evidence()->set_message_id("mid.1");
  echo.mutable_evidence()->set_text_digest(TurnIdOf("one"));  // SHA-256 of the text
  echo.mutable_evidence()->set_state(mesh::bus::v1::DELIVERY_STATE_ECHO);
  EXPECT_EQ(Apply(echo), OUTCOME_SENT);
}

TEST_F(LedgerOutcomesTest, EvidenceOfAnotherAccountSettlesNothing) {
  const std::int64_t term = TakeOver();
  EXPECT_FALSE(Plan("t1", {"one"}));
  Claim(ReplyId("t1", 0), term);
  LedgerRecord evidence;
  *evidence.mutable_evidence()->mutable_conversation() = Ann();
  evidence.mutable_evidence()->mutable_conversation()->set_tenant("other");
  evidence.mutable_evidence()->set_reply_id(ReplyId("t1", 0));
  evidence.mutable_evidence()->set_state(mesh::bus::v1::DELIVERY_STATE_DELIVERED);
  EXPECT_FALSE(Apply(evidence));
  evidence.mutable_evidence()->mutable_conversation()->set_tenant(Ann().tenant());
  EXPECT_EQ(Apply(evidence), OUTCOME_DELIVERED);
}

TEST_F(LedgerOutcomesTest, AFallbackSaysNothingAndAWorkersNoticeIsTheReply) {
  const std::int64_t term = TakeOver();
  const auto id = [](const std::string& turn, mesh::bus::v1::ReplyKind kind) {
    return identity::MakeReplyId(identity::TurnId(TurnIdOf(turn)), 0, kind, 0).value();
  };
  const std::string notice = id("t0", mesh::bus::v1::REPLY_KIND_NOTICE);
  EXPECT_FALSE(Plan("t0", {"sorry"}, mesh::bus::v1::REPLY_KIND_NOTICE));
  EXPECT_EQ(Sent(notice, LedgerSent::OUTCOME_SENT, Claim(notice, term)), OUTCOME_SENT);
  const std::string fallback = id("t1", mesh::bus::v1::REPLY_KIND_FALLBACK);
  EXPECT_FALSE(Plan("t1", {"one"}));
  EXPECT_EQ(Sent(ReplyId("t1", 0), LedgerSent::OUTCOME_FAILED, 0), OUTCOME_FAILED);
  EXPECT_FALSE(Plan("t1", {"sorry"}, mesh::bus::v1::REPLY_KIND_FALLBACK));
  EXPECT_FALSE(Sent(fallback, LedgerSent::OUTCOME_SENT, Claim(fallback, term)));
}

TEST_F(LedgerOutcomesTest, AParkedReplyIsUnknownUntilEvidenceAndASupersedeNamesWhatWasNeverPlanned) {
  const std::int64_t term = TakeOver();
  EXPECT_FALSE(Plan("t1", {"one"}));
  EXPECT_FALSE(Sent(ReplyId("t1", 0), LedgerSent::OUTCOME_PARKED, Claim(ReplyId("t1", 0), term)));
  EXPECT_EQ(Evidence(ReplyId("t1", 0), mesh::bus::v1::DELIVERY_STATE_DELIVERED), OUTCOME_DELIVERED);
  LedgerRecord supersede;
  *supersede.mutable_supersede()->mutable_conversation() = Ann();
  supersede.mutable_supersede()->set_turn_id(TurnIdOf("t1"));
  EXPECT_FALSE(Apply(supersede)) << "was said";
  supersede.mutable_supersede()->set_turn_id(TurnIdOf("t2"));
  EXPECT_EQ(Apply(supersede), OUTCOME_SUPERSEDED);
}

TEST_F(LedgerOutcomesTest, AGenerationHasAnOutcomeOfItsOwnAndTheFirstPlanStands) {
  const std::int64_t term = TakeOver();
  EXPECT_FALSE(Plan("t1", {"one"}));
  EXPECT_FALSE(Plan("t1", {}));
  EXPECT_EQ(Sent(ReplyId("t1", 0), LedgerSent::OUTCOME_FAILED, 0), OUTCOME_FAILED);
  EXPECT_FALSE(Plan("t1", {"one"}, mesh::bus::v1::REPLY_KIND_ANSWER, /*generation=*/1));
  EXPECT_EQ(Sent(ReplyId("t1", 0, 1), LedgerSent::OUTCOME_SENT, Claim(ReplyId("t1", 0, 1), term)), OUTCOME_SENT);
  EXPECT_EQ(last_->generation(), 1u);
}

// An id that somebody else uses as well, or a status that was written before the claim it is about.
TEST_F(LedgerOutcomesTest, EvidenceThatStandsBeforeItsClaimSettlesNothing) {
  const std::int64_t term = TakeOver();
  EXPECT_FALSE(Plan("t1", {"one"}));
  EXPECT_FALSE(Evidence(ReplyId("t1", 0), mesh::bus::v1::DELIVERY_STATE_READ));
  const std::int64_t claim = Claim(ReplyId("t1", 0), term);
  EXPECT_EQ(Sent(ReplyId("t1", 0), LedgerSent::OUTCOME_SENT, claim), OUTCOME_SENT) << "what came before is not told";
  EXPECT_EQ(Evidence(ReplyId("t1", 0), mesh::bus::v1::DELIVERY_STATE_DELIVERED), OUTCOME_DELIVERED);
}

// A re-run's record of a turn whose first record waits in `parked` is no plan for it.
TEST_F(LedgerOutcomesTest, OnlyThePlanOfTheRecordThatWasParkedStands) {
  const std::int64_t term = TakeOver();
  Park("t1", /*replies_offset=*/7, term);
  EXPECT_FALSE(Plan("t1", {}, mesh::bus::v1::REPLY_KIND_ANSWER, /*generation=*/0, /*replies_offset=*/9));
  EXPECT_FALSE(Plan("t1", {"one"}, mesh::bus::v1::REPLY_KIND_ANSWER, /*generation=*/0, /*replies_offset=*/7));
  EXPECT_EQ(Sent(ReplyId("t1", 0), LedgerSent::OUTCOME_SENT, Claim(ReplyId("t1", 0), term)), OUTCOME_SENT);
}

TEST_F(LedgerOutcomesTest, AWithdrawnReplyThatWaitsInParkedTellsItsOwnEnd) {
  const std::int64_t term = TakeOver();
  Park("t1", /*replies_offset=*/7, term);
  LedgerRecord supersede;
  *supersede.mutable_supersede()->mutable_conversation() = Ann();
  supersede.mutable_supersede()->set_turn_id(TurnIdOf("t1"));
  EXPECT_FALSE(Apply(supersede));
  EXPECT_EQ(Plan("t1", {}, mesh::bus::v1::REPLY_KIND_ANSWER, /*generation=*/0, /*replies_offset=*/7),
            OUTCOME_SUPERSEDED);
}

TEST_F(LedgerOutcomesTest, OfManySettledRepliesTheNewestAreKept) {
  const std::int64_t term = TakeOver();
  Plan("open", {"one"});
  for (int i = 0; i < 150; ++i) {
    const std::string turn = "t" + std::to_string(i);
    Plan(turn, {"one"});
    EXPECT_EQ(Sent(ReplyId(turn, 0), LedgerSent::OUTCOME_SENT, Claim(ReplyId(turn, 0), term)), OUTCOME_SENT);
  }
  EXPECT_FALSE(Evidence(ReplyId("t0", 0), mesh::bus::v1::DELIVERY_STATE_DELIVERED)) << "shrunk";
  EXPECT_FALSE(Plan("t0", {})) << "still known to have been planned";
  EXPECT_EQ(Evidence(ReplyId("t149", 0), mesh::bus::v1::DELIVERY_STATE_DELIVERED), OUTCOME_DELIVERED);
  EXPECT_EQ(Sent(ReplyId("open", 0), LedgerSent::OUTCOME_SENT, Claim(ReplyId("open", 0), term)), OUTCOME_SENT)
      << "what has no end yet is kept";
}

}  // namespace
}  // namespace meshctl
