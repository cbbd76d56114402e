#include "libs/records/turn_record.h"

#include <cstddef>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/bus/headers.h"
#include "libs/identity/identity.h"

namespace records {
namespace {

constexpr std::size_t kTurnIdBytes = 32;

}  // namespace

Decoded<mesh::bus::v1::Turn> DecodeTurn(const bus::Record& record) {
  if (!bus::IsOfType(record.headers, kTurnType)) {
    return Refusal{RefusalReason::kUnknownSchema,
                   base::StrCat("ce_type is not ", kTurnType, "; a newer version wrote it")};
  }
  mesh::bus::v1::Turn turn;
  if (!turn.ParseFromString(record.value) || turn.turn_id().size() != kTurnIdBytes ||
      turn.kind() == mesh::bus::v1::TURN_KIND_UNSPECIFIED) {
    return Refusal{RefusalReason::kUndecodable, "value is not a mesh.bus.v1.Turn"};
  }
  if (!mesh::bus::v1::TurnKind_IsValid(turn.kind())) {
    return Refusal{RefusalReason::kUnknownSchema,
                   base::StrCat("kind ", static_cast<int>(turn.kind()), " is of a newer version"), turn.turn_id()};
  }
  if (identity::KeyOf(turn.conversation()).value() != record.key) {
    return Refusal{RefusalReason::kKeyMismatch, "record key is not the conversation of its value", turn.turn_id()};
  }
  if (!mesh::bus::v1::ControlAction_IsValid(turn.control())) {
    return Refusal{RefusalReason::kUnknownSchema,
                   base::StrCat("control ", static_cast<int>(turn.control()), " is of a newer version"),
                   turn.turn_id()};
  }
  return turn;
}

}  // namespace records
