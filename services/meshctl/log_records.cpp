#include "services/meshctl/log_records.h"

#include <string>

#include "libs/identity/identity.h"

namespace meshctl {

bool WantsAnswer(const mesh::bus::v1::Turn& turn) {
  return turn.kind() == mesh::bus::v1::TURN_KIND_MESSAGE || turn.kind() == mesh::bus::v1::TURN_KIND_POSTBACK;
}

std::optional<std::string> UnsentTurnId(const mesh::bus::v1::Turn& turn) {
  if (turn.kind() == mesh::bus::v1::TURN_KIND_UNSEND) return turn.target_turn_id();
  const bool is_older_form = turn.kind() == mesh::bus::v1::TURN_KIND_EVENT &&
                             (turn.type() == "revoke" || turn.type() == "is_deleted") &&
                             !turn.reply_to_message_id().empty();
  if (!is_older_form) return std::nullopt;
  return identity::MakeTurnId(turn.conversation(), turn.reply_to_message_id()).value();
}

}  // namespace meshctl
