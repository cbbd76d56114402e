#include "libs/ledger/outcome.h"

namespace ledger {

using mesh::session::v1::Outcome;

namespace {

// Of those that were not refused: what comes behind a refused file, or before it.
std::size_t LastPart(const PlannedTurn& turn) {
  std::size_t last = turn.parts.size() - 1;
  while (last > 0 && turn.parts[last].state == PartState::kFailed) --last;
  return last;
}

}  // namespace

Outcome OutcomeOfEvidence(const PlannedTurn& turn, std::size_t part) {
  const bool last = part == LastPart(turn);
  switch (turn.parts[part].delivery) {
    case mesh::bus::v1::DELIVERY_STATE_DELIVERED:
      return last ? mesh::session::v1::OUTCOME_DELIVERED : mesh::session::v1::OUTCOME_UNSPECIFIED;
    case mesh::bus::v1::DELIVERY_STATE_READ:
      return last ? mesh::session::v1::OUTCOME_READ : mesh::session::v1::OUTCOME_UNSPECIFIED;
    case mesh::bus::v1::DELIVERY_STATE_FAILED:
      return turn.NothingArrived() ? mesh::session::v1::OUTCOME_FAILED : mesh::session::v1::OUTCOME_UNSPECIFIED;
    default:
      return mesh::session::v1::OUTCOME_UNSPECIFIED;
  }
}

Outcome OutcomeOf(const PlannedTurn& turn) {
  if (turn.Superseded()) return mesh::session::v1::OUTCOME_SUPERSEDED;
  if (turn.Parked()) return mesh::session::v1::OUTCOME_UNSPECIFIED;
  if (turn.NothingArrived()) return mesh::session::v1::OUTCOME_FAILED;
  // A status may have come before our own record of the send, and then it knows more.
  const Outcome told = OutcomeOfEvidence(turn, LastPart(turn));
  return told == mesh::session::v1::OUTCOME_UNSPECIFIED ? mesh::session::v1::OUTCOME_SENT : told;
}

mesh::session::v1::SetOutcomeRequest ReportWithoutText(const PlannedTurn& turn, Outcome outcome) {
  mesh::session::v1::SetOutcomeRequest report;
  *report.mutable_conversation() = turn.conversation;
  report.set_turn_id(turn.key.turn_id);
  report.set_generation(turn.key.generation);
  report.set_outcome(outcome);
  return report;
}

}  // namespace ledger
