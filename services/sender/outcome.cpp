#include "services/sender/outcome.h"

namespace sender {

using mesh::session::v1::Outcome;

Outcome OutcomeOfEvidence(const PlannedTurn& turn, std::size_t part) {
  const bool last = part + 1 == turn.parts.size();
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
  const Outcome told = OutcomeOfEvidence(turn, turn.parts.size() - 1);
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

}  // namespace sender
