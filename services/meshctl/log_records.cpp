#include "services/meshctl/log_records.h"

#include <string>

#include "libs/bus/headers.h"
#include "libs/identity/identity.h"

namespace meshctl {

std::optional<mesh::bus::v1::Turn> DecodeTurn(const bus::Record& record) {
  mesh::bus::v1::Turn turn;
  if (!bus::IsOfType(record.headers, "mesh.bus.v1.Turn")) return std::nullopt;
  if (!turn.ParseFromString(record.value) || turn.turn_id().size() != kTurnIdBytes) return std::nullopt;
  if (identity::KeyOf(turn.conversation()).value() != record.key) return std::nullopt;
  return turn;
}

std::optional<mesh::bus::v1::ReplyRecord> DecodeReply(const bus::Record& record) {
  mesh::bus::v1::ReplyRecord decoded;
  if (!bus::IsOfType(record.headers, "mesh.bus.v1.ReplyRecord")) return std::nullopt;
  if (!decoded.ParseFromString(record.value) || decoded.body_case() == mesh::bus::v1::ReplyRecord::BODY_NOT_SET) {
    return std::nullopt;
  }
  const auto& conversation = decoded.has_reply() ? decoded.reply().conversation() : decoded.supersede().conversation();
  const std::string& turn_id = decoded.has_reply() ? decoded.reply().turn_id() : decoded.supersede().turn_id();
  if (turn_id.size() != kTurnIdBytes || identity::KeyOf(conversation).value() != record.key) return std::nullopt;
  return decoded;
}

std::optional<mesh::bus::v1::LedgerRecord> DecodeLedger(const bus::Record& record) {
  mesh::bus::v1::LedgerRecord decoded;
  if (!bus::IsOfType(record.headers, "mesh.bus.v1.LedgerRecord")) return std::nullopt;
  if (!decoded.ParseFromString(record.value)) return std::nullopt;
  return decoded;
}

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
