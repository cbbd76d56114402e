#include "services/meshctl/ledger_outcomes.h"

#include "libs/ledger/outcome.h"

namespace meshctl {

using mesh::session::v1::Outcome;
using mesh::session::v1::SetOutcomeRequest;

namespace {

SetOutcomeRequest NeverSaid(const mesh::bus::v1::LedgerSupersede& supersede) {
  SetOutcomeRequest report;
  *report.mutable_conversation() = supersede.conversation();
  report.set_turn_id(supersede.turn_id());
  report.set_outcome(mesh::session::v1::OUTCOME_SUPERSEDED);
  return report;
}

}  // namespace

std::optional<SetOutcomeRequest> LedgerOutcomes::Apply(std::int64_t offset, const mesh::bus::v1::LedgerRecord& record) {
  const ledger::LedgerState::Change change = state_->Apply(offset, record);
  if (record.has_supersede()) {
    // What was planned of the turn, or waits in `parked`, tells its own end.
    if (state_->TurnPlanned(record.supersede().turn_id())) return std::nullopt;
    return NeverSaid(record.supersede());
  }
  // A fallback says nothing about the reply in whose place it was sent.
  if (change.turn == nullptr || change.turn->key.fallback || !change.turn->Settled()) return std::nullopt;
  const Outcome outcome = ledger::OutcomeOf(*change.turn);
  if (outcome == mesh::session::v1::OUTCOME_UNSPECIFIED || !IsNews(change.turn->key, outcome)) return std::nullopt;
  return ledger::ReportWithoutText(*change.turn, outcome);
}

bool LedgerOutcomes::IsNews(const ledger::TurnKey& key, Outcome outcome) {
  if (told_.size() > 2 * settled_max_) {  // seldom enough to cost nothing
    absl::erase_if(told_, [this](const auto& entry) { return state_->Find(entry.first) == nullptr; });
  }
  Outcome& last = told_[key];
  if (last == outcome) return false;
  last = outcome;
  return true;
}

}  // namespace meshctl
