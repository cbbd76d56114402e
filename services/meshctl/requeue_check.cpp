#include "services/meshctl/requeue_check.h"

#include <algorithm>

namespace meshctl {
namespace {

bool WasShown(const mesh::session::v1::HistoryTurn& turn) {
  return turn.outcome() == mesh::session::v1::OUTCOME_SENT || turn.outcome() == mesh::session::v1::OUTCOME_DELIVERED ||
         turn.outcome() == mesh::session::v1::OUTCOME_READ;
}

}  // namespace

std::string ReasonAgainstRequeue(const mesh::bus::v1::Reply& reply,
                                 const mesh::session::v1::GetSessionResponse& stored) {
  if (stored.opted_out()) return "its user wants no messages any more";
  if (stored.paused()) return "a person answers this conversation now";
  const bool was_shown = std::ranges::any_of(stored.turns(), [&](const mesh::session::v1::HistoryTurn& turn) {
    return turn.turn_id() == reply.turn_id() && WasShown(turn);
  });
  return was_shown ? "a part of it was shown, and would be shown again" : "";
}

}  // namespace meshctl
