// The rules of the ledger stand twice, in services/sender/ledger_state.cpp and in ledger_outcomes.cpp. Goal: to show
// that they differ, so that a rebuild tells a history something else than the sender did. Goes when they stand once.
// Method: random records go through both; what each tells in the end of every reply is compared.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <string>
#include <utility>

#include "services/meshctl/ledger_outcomes.h"
#include "services/sender/ledger_state.h"
#include "services/sender/outcome.h"
#include "tests/services/sender/random_ledger.h"

namespace meshctl {
namespace {

using mesh::session::v1::Outcome;
using Told = std::map<std::pair<std::string, std::uint32_t>, Outcome>;  // turn id and generation -> the last outcome

struct Difference {
  int ledgers = 0;  // that were told otherwise
  int replies = 0;
};

// The sender tells the end of a reply that is settled, and what later evidence adds.
void Tell(const sender::LedgerState::Change& change, Told* told) {
  if (change.turn == nullptr || change.turn->key.fallback || !change.turn->Settled()) return;
  const Outcome outcome = sender::OutcomeOf(*change.turn);
  if (outcome == mesh::session::v1::OUTCOME_UNSPECIFIED) return;
  (*told)[{change.turn->key.turn_id, change.turn->key.generation}] = outcome;
}

Difference Compare(std::size_t kept_max, int seeds, int records) {
  Difference difference;
  for (int seed = 0; seed < seeds; ++seed) {
    sender::RandomLedger ledger(static_cast<std::uint64_t>(seed));
    sender::LedgerState state(kept_max);
    LedgerOutcomes outcomes(kept_max);
    Told by_sender;
    Told by_tool;
    for (std::int64_t offset = 1; offset <= records; ++offset) {
      const sender::LedgerEntry entry = ledger.Next(offset);
      if (entry.key.empty() || entry.record.has_supersede()) continue;
      Tell(state.Apply(offset, entry.record), &by_sender);
      if (const auto report = outcomes.Apply(offset, entry.record)) {
        by_tool[{report->turn_id(), report->generation()}] = report->outcome();
      }
    }
    int replies = 0;
    for (const auto& [turn, outcome] : by_sender) {
      const auto found = by_tool.find(turn);
      replies += found == by_tool.end() || found->second != outcome ? 1 : 0;
    }
    for (const auto& [turn, outcome] : by_tool) replies += by_sender.contains(turn) ? 0 : 1;
    difference.ledgers += replies > 0 ? 1 : 0;
    difference.replies += replies;
  }
  return difference;
}

TEST(LedgerDifferenceTest, TheSameRecordsGiveOtherOutcomes) {
  for (const std::size_t kept_max : {1000, 4}) {
    const Difference difference = Compare(kept_max, /*seeds=*/1000, /*records=*/200);
    std::printf("%zu kept: %d of 1000 ledgers differ, in %d replies\n", kept_max, difference.ledgers,
                difference.replies);
    EXPECT_GT(difference.ledgers, 0) << "they agree now: remove one of them, and this test";
  }
}

}  // namespace
}  // namespace meshctl
