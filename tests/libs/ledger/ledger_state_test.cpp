#include "libs/ledger/ledger_state.h"

#include <gtest/gtest.h>

#include "libs/base/hex.h"
#include "libs/ledger/ledger_record.h"

namespace ledger {
namespace {

using mesh::bus::v1::LedgerRecord;
using Verdict = LedgerState::Verdict;

// A ledger partition in the making: appends records and applies them to the state under test.
class LedgerStateTest : public testing::Test {
 protected:
  std::int64_t Append(const LedgerEntry& entry) {
    const std::int64_t offset = next_++;
    change_ = state_.Apply(offset, entry.record);
    return offset;
  }
  std::int64_t TakeOver(const std::string& owner) { return Append(MakeTakeover(owner, 0)); }
  std::int64_t Own() {
    state_.SetOwner("me");
    return TakeOver("me");
  }
  std::int64_t Plan(const TurnKey& turn, const std::vector<std::string>& parts, std::int64_t replies_offset) {
    mesh::bus::v1::Reply reply;
    reply.set_turn_id(turn.turn_id);
    reply.set_generation(turn.generation);
    reply.set_kind(turn.fallback ? mesh::bus::v1::REPLY_KIND_FALLBACK : mesh::bus::v1::REPLY_KIND_ANSWER);
    *reply.mutable_conversation() = conversation_;
    std::vector<mesh::bus::v1::OutboundPart> contents;
    for (const std::string& part : parts) contents.emplace_back().set_text(part);
    return Append(MakePlan(reply, contents, replies_offset, 0, /*wall_ms=*/1000));
  }
  void PassHours(int hours) {
    for (int hour = 0; hour < hours; ++hour) state_.AnHourPassed();
  }
  static TurnKey Turn(char fill) { return {std::string(32, fill), 0}; }
  static identity::ReplyId Reply(char fill, std::uint32_t part = 0) {
    return identity::MakeReplyId(identity::TurnId(std::string(32, fill)), 0, mesh::bus::v1::REPLY_KIND_ANSWER, part);
  }
  PartState StateOf(char fill, std::size_t part = 0) { return state_.Find(Turn(fill))->parts.at(part).state; }

  LedgerState state_{/*settled_detail_max=*/2};
  LedgerState::Change change_;
  mesh::bus::v1::ConversationId conversation_;
  std::int64_t next_ = 1;
};

TEST_F(LedgerStateTest, ATemplateIsRememberedForADay) {
  conversation_.set_user("ann");
  mesh::bus::v1::Reply reply;
  reply.set_turn_id(Turn('a').turn_id);
  reply.set_kind(mesh::bus::v1::REPLY_KIND_FALLBACK);
  *reply.mutable_conversation() = conversation_;
  mesh::bus::v1::OutboundPart wanted;
  wanted.mutable_template_()->set_name("come_back");
  constexpr std::int64_t kHourMs = 3'600'000;
  Plan(Turn('b'), {"hello"}, /*replies_offset=*/1);
  EXPECT_FALSE(state_.AskedToWriteAgain(conversation_, 1000));
  Append(MakePlan(reply, {wanted}, /*replies_offset=*/2, 0, /*wall_ms=*/1000));
  EXPECT_TRUE(state_.AskedToWriteAgain(conversation_, 1000 + 23 * kHourMs));
  EXPECT_FALSE(state_.AskedToWriteAgain(conversation_, 1000 + 24 * kHourMs)) << "also right after a start";
}

TEST_F(LedgerStateTest, SilenceIsForWhatWasSaidBeforeIt) {
  conversation_.set_user("ann");
  Append(MakeSupersede(Turn('a').turn_id, conversation_, mesh::bus::v1::DROP_POLICY_OPTED_OUT, /*replies_offset=*/5,
                       /*wall_ms=*/1000));
  EXPECT_TRUE(state_.SilentSince(conversation_, 4));
  EXPECT_FALSE(state_.SilentSince(conversation_, 6)) << "the user may have changed their mind since";
  conversation_.set_user("bob");
  EXPECT_FALSE(state_.SilentSince(conversation_, 4));
}

TEST_F(LedgerStateTest, FirstPlanOfATurnStandsAndLaterRecordsAreDuplicates) {
  EXPECT_EQ(state_.Judge(Turn('a'), 7), Verdict::kNew);
  Plan(Turn('a'), {"said first"}, /*replies_offset=*/7);
  Plan(Turn('a'), {"said by a re-run"}, /*replies_offset=*/9);
  EXPECT_EQ(state_.Judge(Turn('a'), 7), Verdict::kPlanned);
  EXPECT_EQ(state_.Judge(Turn('a'), 9), Verdict::kDuplicate);
  EXPECT_EQ(state_.Find(Turn('a'))->parts.at(0).content.text(), "said first");
}

TEST_F(LedgerStateTest, RichPartsAreNumberedOnBehindTheTexts) {
  std::vector<mesh::bus::v1::OutboundPart> contents(4);
  contents[0].set_text("first");
  contents[1].mutable_media()->set_link("https://a.example/b.png");
  contents[2].set_text("what a part became");
  contents[3].mutable_choices()->set_text("Tea?");
  mesh::bus::v1::Reply reply;
  reply.set_turn_id(Turn('a').turn_id);
  *reply.mutable_conversation() = conversation_;
  const LedgerEntry plan = MakePlan(reply, contents, 1, 0, 0);
  EXPECT_EQ(plan.record.plan().parts_size(), 1);
  EXPECT_EQ(plan.record.plan().rich_parts_size(), 3);
  Append(plan);
  const std::vector<Part>& parts = state_.Find(Turn('a'))->parts;
  ASSERT_EQ(parts.size(), 4u);
  for (std::uint32_t part = 0; part < 4; ++part) {
    EXPECT_EQ(parts[part].id, Reply('a', part));
    EXPECT_EQ(parts[part].content.SerializeAsString(), contents[part].SerializeAsString());
  }
  EXPECT_EQ(parts[1].text_digest, crypto::Sha256Digest{}) << "the echo of a file has no text";
  EXPECT_EQ(parts[3].text_digest, crypto::Sha256("Tea?"));
}

TEST_F(LedgerStateTest, AGenerationAndTheSendersNoticeAreRepliesOfTheirOwn) {
  Plan(Turn('a'), {"answer"}, 1);
  TurnKey requeued = Turn('a');
  requeued.generation = 1;
  TurnKey notice = Turn('a');
  notice.fallback = true;
  EXPECT_EQ(state_.Judge(requeued, 2), Verdict::kNew);
  EXPECT_EQ(state_.Judge(notice, 3), Verdict::kNew);
}

TEST_F(LedgerStateTest, SupersedeIsAboutTheWholeTurnAndForgottenWithTheLog) {
  Append(MakeSupersede(Turn('a').turn_id, conversation_, mesh::bus::v1::DROP_POLICY_SUPERSEDED, /*replies_offset=*/3,
                       /*wall_ms=*/1000));
  EXPECT_TRUE(state_.TurnSuperseded(Turn('a').turn_id));
  EXPECT_FALSE(state_.TurnSuperseded(Turn('b').turn_id));
  PassHours(LedgerState::kHoursKept);
  EXPECT_TRUE(state_.TurnSuperseded(Turn('a').turn_id));
  PassHours(1);
  EXPECT_FALSE(state_.TurnSuperseded(Turn('a').turn_id));
}

TEST_F(LedgerStateTest, ATurnIsPlannedInWhateverGeneration) {
  TurnKey requeued = Turn('a');
  requeued.generation = 2;
  EXPECT_FALSE(state_.TurnPlanned(requeued.turn_id));
  Plan(requeued, {"x"}, 1);
  EXPECT_TRUE(state_.TurnPlanned(requeued.turn_id));
  PassHours(LedgerState::kHoursKept + 1);
  EXPECT_FALSE(state_.TurnPlanned(requeued.turn_id));
}

TEST_F(LedgerStateTest, OwnersReadBackClaimMayPost) {
  const std::int64_t term = Own();
  Plan(Turn('a'), {"x"}, 1);
  const std::int64_t claim = Append(MakeClaim(Reply('a'), term, 0, 0));
  EXPECT_TRUE(state_.MayPost(Reply('a'), claim));
  EXPECT_FALSE(state_.MayPost(Reply('a'), claim - 1)) << "another claim's offset";
}

TEST_F(LedgerStateTest, ClaimBehindAForeignTakeoverIsVoid) {
  const std::int64_t term = Own();
  Plan(Turn('a'), {"x"}, 1);
  TakeOver("other");
  const std::int64_t claim = Append(MakeClaim(Reply('a'), term, 0, 0));
  EXPECT_EQ(change_.kind, LedgerState::Change::Kind::kNothing);
  EXPECT_EQ(StateOf('a'), PartState::kOpen);
  EXPECT_FALSE(state_.MayPost(Reply('a'), claim));
}

TEST_F(LedgerStateTest, ClaimBeforeAForeignTakeoverStandsButMayNotBePostedAnyMore) {
  const std::int64_t term = Own();
  Plan(Turn('a'), {"x"}, 1);
  const std::int64_t claim = Append(MakeClaim(Reply('a'), term, 0, 0));
  TakeOver("other");
  EXPECT_EQ(StateOf('a'), PartState::kClaimed) << "the new owner must treat it as in doubt";
  EXPECT_FALSE(state_.MayPost(Reply('a'), claim));
  EXPECT_FALSE(state_.owned());
}

TEST_F(LedgerStateTest, VoidClaimLeavesTheValidOneStanding) {
  const std::int64_t old_term = TakeOver("other");
  const std::int64_t term = Own();
  Plan(Turn('a'), {"x"}, 1);
  const std::int64_t claim = Append(MakeClaim(Reply('a'), term, 0, 0));
  Append(MakeClaim(Reply('a'), old_term, 0, 0));
  EXPECT_TRUE(state_.MayPost(Reply('a'), claim));
}

TEST_F(LedgerStateTest, ClaimWhoseTakeoverIsGoneFromTheLogStands) {
  Plan(Turn('a'), {"x"}, 1);
  Append(MakeClaim(Reply('a'), /*term=*/0, 0, 0));  // no TAKEOVER was ever read
  EXPECT_EQ(StateOf('a'), PartState::kClaimed);
}

TEST_F(LedgerStateTest, AParkedPartIsSettledAndOnlyEvidenceChangesIt) {
  const std::int64_t term = Own();
  Plan(Turn('a'), {"x"}, 1);
  const std::int64_t claim = Append(MakeClaim(Reply('a'), term, 0, 0));
  Append(MakeParked(Reply('a'), term, claim - 1, 0));
  EXPECT_EQ(StateOf('a'), PartState::kClaimed) << "names another claim";
  Append(MakeParked(Reply('a'), term, claim, 0));
  EXPECT_EQ(StateOf('a'), PartState::kParked);
  EXPECT_TRUE(state_.Find(Turn('a'))->Settled());
  const std::int64_t second = Append(MakeClaim(Reply('a'), term, 1, 0));
  EXPECT_FALSE(state_.MayPost(Reply('a'), second));
  mesh::bus::v1::DeliveryStatus status;
  status.set_reply_id_hex(base::ToHex(Reply('a').value()));
  status.set_state(mesh::bus::v1::DELIVERY_STATE_DELIVERED);
  Append(MakeEvidence(status, 0));
  EXPECT_EQ(StateOf('a'), PartState::kSent);
}

// I4: a reply id, or a message id, in another account's status is no evidence about our send.
TEST_F(LedgerStateTest, EvidenceOfAnotherAccountChangesNothing) {
  conversation_.set_tenant("acme");
  conversation_.set_account("1001");
  conversation_.set_user("ann");
  const std::int64_t term = Own();
  Plan(Turn('a'), {"x"}, 1);
  Append(MakeClaim(Reply('a'), term, 0, 0));
  mesh::bus::v1::DeliveryStatus status;
  status.set_reply_id_hex(base::ToHex(Reply('a').value()));
  status.set_state(mesh::bus::v1::DELIVERY_STATE_DELIVERED);
  *status.mutable_conversation() = conversation_;
  status.mutable_conversation()->set_tenant("other");
  Append(MakeEvidence(status, 0));
  EXPECT_EQ(StateOf('a'), PartState::kClaimed);
  status.mutable_conversation()->set_tenant("acme");
  status.mutable_conversation()->set_user("ann, by another id");
  Append(MakeEvidence(status, 0));
  EXPECT_EQ(StateOf('a'), PartState::kSent);
}

TEST_F(LedgerStateTest, ReleaseReopensOnlyTheClaimItNames) {
  const std::int64_t term = Own();
  Plan(Turn('a'), {"x"}, 1);
  const std::int64_t first = Append(MakeClaim(Reply('a'), term, 0, 0));
  const std::int64_t second = Append(MakeClaim(Reply('a'), term, 1, 0));
  Append(MakeRelease(Reply('a'), term, first, 0));
  EXPECT_EQ(StateOf('a'), PartState::kClaimed);
  Append(MakeRelease(Reply('a'), term, second, 0));
  EXPECT_EQ(StateOf('a'), PartState::kOpen);
  EXPECT_EQ(state_.Find(Turn('a'))->parts[0].resends, 1u) << "that an earlier claim was left in doubt stays known";
}

TEST_F(LedgerStateTest, FailureOfAFormerOwnersClaimDoesNotTouchTheNewClaim) {
  const std::int64_t old_term = TakeOver("other");
  Plan(Turn('a'), {"x"}, 1);
  const std::int64_t old_claim = Append(MakeClaim(Reply('a'), old_term, 0, 0));
  const std::int64_t term = Own();
  Append(MakeClaim(Reply('a'), term, 1, 0));
  Append(MakeFailed(Reply('a'), old_term, old_claim, 100, "send_failed", 0));
  EXPECT_EQ(StateOf('a'), PartState::kClaimed);
}

TEST_F(LedgerStateTest, SentSettlesWhoeverWroteItAndWhenever) {
  const std::int64_t old_term = TakeOver("other");
  Plan(Turn('a'), {"x"}, 1);
  const std::int64_t old_claim = Append(MakeClaim(Reply('a'), old_term, 0, 0));
  Own();
  Append(MakeSent(Reply('a'), old_term, old_claim, "wamid.1", 0));
  EXPECT_EQ(StateOf('a'), PartState::kSent);
  EXPECT_TRUE(state_.Find(Turn('a'))->Settled());
}

TEST_F(LedgerStateTest, SupersededDropsAnOpenPartAndLosesToAClaim) {
  const std::int64_t term = Own();
  Plan(Turn('a'), {"x", "y"}, 1);
  Append(MakeClaim(Reply('a', 0), term, 0, 0));
  Append(MakeSuperseded(Reply('a', 0), term, 0));
  Append(MakeSuperseded(Reply('a', 1), term, 0));
  EXPECT_EQ(StateOf('a', 0), PartState::kClaimed);
  EXPECT_EQ(StateOf('a', 1), PartState::kSuperseded);
}

TEST_F(LedgerStateTest, EvidenceByReplyIdSettlesAClaimInDoubt) {
  const std::int64_t term = Own();
  Plan(Turn('a'), {"x"}, 1);
  Append(MakeClaim(Reply('a'), term, 0, 0));
  mesh::bus::v1::DeliveryStatus status;
  status.set_reply_id_hex(base::ToHex(Reply('a').value()));
  status.set_message_id("wamid.9");
  status.set_state(mesh::bus::v1::DELIVERY_STATE_READ);
  Append(MakeEvidence(status, 0));
  EXPECT_EQ(change_.kind, LedgerState::Change::Kind::kEvidence);
  const Part& part = state_.Find(Turn('a'))->parts[0];
  EXPECT_EQ(part.state, PartState::kSent);
  EXPECT_TRUE(part.by_evidence);
  EXPECT_EQ(part.message_id, "wamid.9");
}

TEST_F(LedgerStateTest, EvidenceForAPartThatWasNeverClaimedChangesNothing) {
  Own();
  Plan(Turn('a'), {"x"}, 1);
  mesh::bus::v1::DeliveryStatus status;
  status.set_reply_id_hex(base::ToHex(Reply('a').value()));
  Append(MakeEvidence(status, 0));
  EXPECT_EQ(StateOf('a'), PartState::kOpen);
}

TEST_F(LedgerStateTest, EchoWithoutIdsIsTheOldestClaimOfTheSameWordsInTheConversation) {
  const std::int64_t term = Own();
  conversation_.set_user("one");
  Plan(Turn('a'), {"ok"}, 1);
  conversation_.set_user("two");
  Plan(Turn('b'), {"ok"}, 2);
  Plan(Turn('c'), {"ok"}, 3);
  for (const char turn : {'a', 'b', 'c'}) Append(MakeClaim(Reply(turn), term, 0, 0));
  mesh::bus::v1::DeliveryStatus echo;
  *echo.mutable_conversation() = conversation_;
  echo.set_message_id("mid.7");
  echo.set_text_digest(std::string(crypto::AsBytes(crypto::Sha256("ok"))));
  Append(MakeEvidence(echo, 0));
  EXPECT_EQ(StateOf('a'), PartState::kClaimed);
  EXPECT_EQ(StateOf('b'), PartState::kSent);
  EXPECT_EQ(StateOf('c'), PartState::kClaimed);
  // The same echo once more belongs to the message it named, not to the next claim of these words.
  Append(MakeEvidence(echo, 0));
  EXPECT_EQ(StateOf('c'), PartState::kClaimed);
}

TEST_F(LedgerStateTest, StatusThatNamesOnlyTheMessageFindsItsReply) {
  const std::int64_t term = Own();
  Plan(Turn('a'), {"x"}, 1);
  const std::int64_t claim = Append(MakeClaim(Reply('a'), term, 0, 0));
  Append(MakeSent(Reply('a'), term, claim, "mid.3", 0));
  mesh::bus::v1::DeliveryStatus status;
  status.set_message_id("mid.3");
  status.set_state(mesh::bus::v1::DELIVERY_STATE_DELIVERED);
  Append(MakeEvidence(status, 0));
  ASSERT_EQ(change_.kind, LedgerState::Change::Kind::kEvidence);
  EXPECT_EQ(change_.turn->key, Turn('a'));
  EXPECT_EQ(change_.turn->parts[0].delivery, mesh::bus::v1::DELIVERY_STATE_DELIVERED);
}

TEST_F(LedgerStateTest, ATurnPlannedWithoutPartsIsSettledAndWasSuperseded) {
  Plan(Turn('a'), {}, 4);
  EXPECT_TRUE(state_.Find(Turn('a'))->Settled());
  EXPECT_TRUE(state_.Find(Turn('a'))->Superseded());
  EXPECT_EQ(state_.Judge(Turn('a'), 5), Verdict::kDuplicate);
}

class ParkedLedgerTest : public LedgerStateTest {
 protected:
  ParkedLedgerTest() { term_ = Own(); }

  void Park(char turn, std::int64_t replies_offset, std::int64_t parked_offset) {
    mesh::bus::v1::Reply reply;
    reply.set_turn_id(Turn(turn).turn_id);
    *reply.mutable_conversation() = conversation_;
    Append(MakeParkedReply(reply, replies_offset, parked_offset, term_, 0));
  }
  bool HoldsUp() const { return state_.parked().HoldUp(identity::KeyOf(conversation_).value()); }

  std::int64_t term_ = 0;
};

TEST_F(ParkedLedgerTest, AParkedReplyIsSaidFromItsCopyAloneAndHoldsUpItsConversationUntilItIsSettled) {
  Park('a', /*replies_offset=*/7, /*parked_offset=*/0);
  EXPECT_EQ(change_.kind, LedgerState::Change::Kind::kParked);
  EXPECT_EQ(state_.Judge(Turn('a'), 7), Verdict::kParked);
  EXPECT_EQ(state_.Judge(Turn('a'), 9), Verdict::kDuplicate) << "a re-run's words";
  EXPECT_EQ(state_.JudgeReturned(Turn('a'), 7), Verdict::kNew);
  Plan(Turn('a'), {"a re-run's words"}, 9);
  EXPECT_EQ(state_.Find(Turn('a')), nullptr);
  Plan(Turn('a'), {"x"}, 7);
  EXPECT_TRUE(HoldsUp());
  const std::int64_t claim = Append(MakeClaim(Reply('a'), term_, 0, 0));
  Append(MakeSent(Reply('a'), term_, claim, "m", 0));
  EXPECT_FALSE(HoldsUp());
  EXPECT_FALSE(state_.parked().empty()) << "what follows from its end may be left to do";
  Append(MakeReturned(Turn('a'), /*parked_offset=*/0, 0));
  EXPECT_EQ(change_.kind, LedgerState::Change::Kind::kReturned);
  EXPECT_EQ(change_.replies_offset, 7);
  EXPECT_TRUE(state_.parked().empty());
  EXPECT_EQ(state_.Judge(Turn('a'), 7), Verdict::kPlanned);
}

TEST_F(ParkedLedgerTest, ParkingBehindAForeignTakeoverOrOfWhatIsSettledChangesNothing) {
  Plan(Turn('a'), {}, 1);
  Park('a', 1, 0);
  EXPECT_EQ(change_.kind, LedgerState::Change::Kind::kNothing);
  TakeOver("other");
  Park('b', 2, 1);
  EXPECT_EQ(change_.kind, LedgerState::Change::Kind::kNothing);
  EXPECT_FALSE(HoldsUp());
  EXPECT_TRUE(state_.parked().empty());
}

TEST_F(ParkedLedgerTest, RepliesOfTwoTenantsWaitApartAlsoUnderOneNumber) {
  conversation_.set_account("1001");
  for (const char* tenant : {"acme", "other", "acme"}) {
    conversation_.set_tenant(tenant);
    const std::int64_t offset = next_;
    Park(static_cast<char>('a' + offset), /*replies_offset=*/offset, /*parked_offset=*/offset);
  }
  std::vector<std::size_t> counts;
  state_.parked().ForEachAccount([&](const auto&, const auto& replies) { counts.push_back(replies.size()); });
  EXPECT_EQ(counts, (std::vector<std::size_t>{2, 1}));
}

TEST_F(ParkedLedgerTest, TheFirstCopyCountsAndRetentionEndsTheWaiting) {
  Park('a', 1, /*parked_offset=*/3);
  Park('a', 1, /*parked_offset=*/4);
  EXPECT_EQ(state_.parked().Find(Turn('a'))->parked_offset, 3);
  Append(MakeReturned(Turn('a'), 4, 0));
  EXPECT_TRUE(HoldsUp());
  PassHours(LedgerState::kHoursKept + 1);
  EXPECT_FALSE(HoldsUp());
  EXPECT_TRUE(state_.parked().empty());
}

TEST_F(LedgerStateTest, OldSettledTurnsShrinkToADigestAndStayDuplicates) {
  const std::int64_t term = Own();
  for (const char turn : {'a', 'b', 'c', 'd'}) {
    Plan(Turn(turn), {"x"}, turn);
    const std::int64_t claim = Append(MakeClaim(Reply(turn), term, 0, 0));
    Append(MakeSent(Reply(turn), term, claim, std::string("m") + turn, 0));
  }
  EXPECT_EQ(state_.Find(Turn('a')), nullptr);
  EXPECT_EQ(state_.Find(Turn('b')), nullptr);
  EXPECT_NE(state_.Find(Turn('d')), nullptr);
  EXPECT_TRUE(state_.Find(Turn('d'))->parts[0].content.text().empty());
  EXPECT_EQ(state_.Judge(Turn('a'), 'a'), Verdict::kDuplicate);
  EXPECT_EQ(state_.settled_count(), 4u);
  EXPECT_EQ(state_.open_count(), 0u);
}

TEST_F(LedgerStateTest, WhatTheLogHasLetGoOfIsForgotten) {
  Own();
  for (const char turn : {'a', 'b', 'c', 'd'}) Plan(Turn(turn), {}, turn);
  Plan(Turn('e'), {"open"}, 'e');
  PassHours(LedgerState::kHoursKept);
  EXPECT_EQ(state_.settled_count(), 4u) << "no longer than the log keeps them, and the log still does";
  PassHours(1);
  EXPECT_EQ(state_.settled_count(), 0u);
  EXPECT_EQ(state_.open_count(), 0u);
  EXPECT_EQ(state_.Judge(Turn('a'), 'a'), Verdict::kNew);
}

// A wall clock that is wrong by days, here or at the writer, must not make a sent reply unknown.
TEST_F(LedgerStateTest, ARecordIsAsOldAsItIsKnownHereWhateverItsTimestampSays) {
  const std::int64_t term = Own();
  Plan(Turn('a'), {"x"}, 1);  // at 1000 ms after the epoch
  const std::int64_t claim = Append(MakeClaim(Reply('a'), term, 0, 0));
  Append(MakeSent(Reply('a'), term, claim, "m", 0));
  PassHours(1);
  EXPECT_EQ(state_.Judge(Turn('a'), 1), Verdict::kPlanned);
  EXPECT_EQ(state_.Judge(Turn('a'), 2), Verdict::kDuplicate);
}

TEST_F(LedgerStateTest, RecordsAboutUnknownRepliesAndNewerSchemasChangeNothing) {
  Append(MakeClaim(Reply('z'), 1, 0, 0));
  Append(MakeSent(Reply('z'), 1, 1, "m", 0));
  Append({"key", LedgerRecord()});
  EXPECT_EQ(state_.open_count(), 0u);
  EXPECT_EQ(state_.next_offset(), 4);
}

}  // namespace
}  // namespace ledger
