// What holds of a ledger whatever stands in it. Goal: senders, tools and successors that read the same records agree,
// and nothing that was said is said again. Method: random records of few turns, and after each the rules are checked
// against the state before it and a list of what was read.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libs/ledger/ledger_state.h"
#include "libs/ledger/outcome.h"
#include "tests/libs/ledger/random_ledger.h"

namespace ledger {
namespace {

using mesh::bus::v1::LedgerRecord;
using mesh::bus::v1::LedgerSent;
using Kind = LedgerState::Change::Kind;

constexpr int kSeeds = 300;
constexpr std::int64_t kRecords = 200;

// Plays `seed`; `check` sees each record with the state before and after it.
template <typename Check>
void Play(std::uint64_t seed, std::size_t settled_detail_max, const Check& check) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  RandomLedger records(seed);
  LedgerState state(settled_detail_max);
  for (std::int64_t offset = 1; offset <= kRecords && !testing::Test::HasFailure(); ++offset) {
    const LedgerEntry entry = records.Next(offset);
    check(offset, entry.record, state);
  }
}

std::optional<PartState> StateOf(const LedgerState& state, const std::string& reply_id) {
  std::size_t part = 0;
  const PlannedTurn* turn = state.FindReply(identity::ReplyId(reply_id), &part);
  return turn == nullptr ? std::nullopt : std::optional(turn->parts.at(part).state);
}

TEST(LedgerRulesTest, WhatWasSentStaysSent) {
  std::size_t sent_ever = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::set<std::string> sent;
    Play(seed, /*settled_detail_max=*/1000, [&](std::int64_t offset, const LedgerRecord& record, LedgerState& state) {
      const LedgerState::Change change = state.Apply(offset, record);
      for (const std::string& reply : sent) EXPECT_EQ(StateOf(state, reply), PartState::kSent) << "offset " << offset;
      if (change.turn == nullptr || change.part >= change.turn->parts.size()) return;
      const Part& part = change.turn->parts[change.part];
      if (part.state == PartState::kSent) sent.insert(part.id.value());
    });
    sent_ever += sent.size();
  }
  EXPECT_GT(sent_ever, 0u);
}

TEST(LedgerRulesTest, AClaimStandsOnlyWhenNoTakeoverIsLaterThanItsTerm) {
  int stood = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::int64_t last_takeover = -1;
    Play(seed, /*settled_detail_max=*/1000, [&](std::int64_t offset, const LedgerRecord& record, LedgerState& state) {
      const LedgerState::Change change = state.Apply(offset, record);
      if (record.has_takeover()) last_takeover = offset;
      if (change.kind != Kind::kClaimed) return;
      ++stood;
      EXPECT_GE(record.claim().term(), last_takeover);
      EXPECT_EQ(change.turn->parts[change.part].claim_offset, offset);
    });
  }
  EXPECT_GT(stood, 0);
}

TEST(LedgerRulesTest, OnlyWhatWasClaimedIsSettledByEvidenceAndOnlyByItsOwnAccounts) {
  int settled = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::set<std::string> claimed;
    Play(seed, /*settled_detail_max=*/1000, [&](std::int64_t offset, const LedgerRecord& record, LedgerState& state) {
      const LedgerState::Change change = state.Apply(offset, record);
      if (change.kind == Kind::kClaimed) claimed.insert(record.claim().reply_id());
      if (change.kind != Kind::kEvidence) return;
      ++settled;
      EXPECT_TRUE(claimed.contains(change.turn->parts[change.part].id.value())) << "offset " << offset;
      EXPECT_EQ(record.evidence().conversation().tenant(), "acme");
    });
  }
  EXPECT_GT(settled, 0);
}

// However little is kept: a settled turn that has shrunk to a digest still has its plan.
TEST(LedgerRulesTest, ATurnIsPlannedOnceAndOnlyFromTheRecordThatWasParked) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::map<TurnKey, std::int64_t> planned;
    Play(seed, /*settled_detail_max=*/2, [&](std::int64_t offset, const LedgerRecord& record, LedgerState& state) {
      const ParkedReplies::Reply* waiting = record.has_plan() ? state.parked().Find(KeyOf(record.plan())) : nullptr;
      const bool is_other_record = waiting != nullptr && waiting->replies_offset != record.plan().replies_offset();
      const LedgerState::Change change = state.Apply(offset, record);
      if (change.kind != Kind::kPlanned) return;
      EXPECT_FALSE(is_other_record) << "offset " << offset;
      EXPECT_TRUE(planned.try_emplace(change.turn->key, offset).second) << "offset " << offset;
    });
  }
}

// A part that is done with, but in doubt for good, never becomes open or claimed: nothing is sent again under its id.
TEST(LedgerRulesTest, ASettledPartOpensNeverAgain) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    std::set<std::string> settled;
    Play(seed, /*settled_detail_max=*/1000, [&](std::int64_t offset, const LedgerRecord& record, LedgerState& state) {
      const LedgerState::Change change = state.Apply(offset, record);
      for (const std::string& reply : settled) {
        const std::optional<PartState> now = StateOf(state, reply);
        EXPECT_TRUE(now && *now != PartState::kOpen && *now != PartState::kClaimed) << "offset " << offset;
      }
      if (change.kind == Kind::kSettled) settled.insert(change.turn->parts[change.part].id.value());
    });
  }
}

// A successor, an onlooker and a tool own nothing and are started at other times; what they read tells them the same.
TEST(LedgerRulesTest, EveryReaderSeesTheSame) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    LedgerState owner(/*settled_detail_max=*/1000);
    owner.SetOwner("owner-40");
    Play(seed, /*settled_detail_max=*/1000, [&](std::int64_t offset, const LedgerRecord& record, LedgerState& state) {
      const LedgerState::Change by_owner = owner.Apply(offset, record);
      const LedgerState::Change change = state.Apply(offset, record);
      EXPECT_EQ(by_owner.kind, change.kind);
      EXPECT_EQ(by_owner.part, change.part);
      ASSERT_EQ(by_owner.turn == nullptr, change.turn == nullptr);
      if (change.turn == nullptr) return;
      EXPECT_EQ(by_owner.turn->key, change.turn->key);
      if (!change.turn->Settled()) return;
      EXPECT_EQ(OutcomeOf(*by_owner.turn), OutcomeOf(*change.turn));
    });
  }
}

// A message id that two parts name belongs to the later one; when the earlier one is forgotten, it does so still.
TEST(LedgerRulesTest, AMessageIdIsNotTakenFromTheReplyThatHasIt) {
  LedgerState state(/*settled_detail_max=*/2);
  std::int64_t offset = 0;
  const auto say = [&](char name, const std::string& message_id) {
    mesh::bus::v1::Reply reply;
    reply.set_turn_id(std::string(32, name));
    *reply.mutable_conversation() = RandomLedger::Conversation("ann");
    std::vector<mesh::bus::v1::OutboundPart> parts(1);
    parts[0].set_text("ok");
    const auto id = identity::MakeReplyId(identity::TurnId(reply.turn_id()), 0, reply.kind(), 0);
    state.Apply(++offset, MakePlan(reply, parts, 1, 0, 0).record);
    const std::int64_t claim = ++offset;
    state.Apply(claim, MakeClaim(id, 0, 0, 0).record);
    state.Apply(++offset, MakeSent(id, 0, claim, message_id, 0).record);
  };
  say('a', "mid.1");
  say('b', "mid.1");
  say('c', "mid.2");  // 'a' shrinks
  ASSERT_EQ(state.Find({std::string(32, 'a')}), nullptr);
  mesh::bus::v1::DeliveryStatus status;
  *status.mutable_conversation() = RandomLedger::Conversation("ann");
  status.set_message_id("mid.1");
  status.set_state(mesh::bus::v1::DELIVERY_STATE_READ);
  const LedgerState::Change change = state.Apply(++offset, MakeEvidence(status, 0).record);
  ASSERT_EQ(change.kind, Kind::kEvidence);
  EXPECT_EQ(change.turn->key.turn_id, std::string(32, 'b'));
}

}  // namespace
}  // namespace ledger
