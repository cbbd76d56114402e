#pragma once

#include "libs/ledger/ledger_state.h"
#include "proto/session/v1/session.pb.h"

namespace ledger {

// What the history is to say about a reply whose parts are all settled: the most that is known. Delivered and read are
// the last part's to tell; OUTCOME_UNSPECIFIED: it is parked, and nobody knows.
mesh::session::v1::Outcome OutcomeOf(const PlannedTurn& turn);

// What the latest evidence about one part adds to that; OUTCOME_UNSPECIFIED: nothing.
mesh::session::v1::Outcome OutcomeOfEvidence(const PlannedTurn& turn, std::size_t part);

// The report without a text: of a reply whose words are not at hand (any more), or were never said.
mesh::session::v1::SetOutcomeRequest ReportWithoutText(const PlannedTurn& turn, mesh::session::v1::Outcome outcome);

}  // namespace ledger
