#include "services/meshctl/operator_record.h"

#include <string>
#include <string_view>

#include "libs/base/check.h"
#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"
#include "libs/channel/event_json.h"
#include "libs/identity/identity.h"
#include "libs/records/turn_record.h"
#include "libs/session/user_text.h"

namespace meshctl {
namespace {

mesh::bus::v1::Turn MakeTurn(const mesh::bus::v1::ConversationId& conversation, std::string_view type,
                             mesh::bus::v1::TurnKind kind, std::int64_t now_ms) {
  mesh::bus::v1::Turn turn;
  *turn.mutable_conversation() = conversation;
  turn.set_kind(kind);
  turn.set_message_id(base::StrCat(type, "-", now_ms));
  turn.set_turn_id(identity::MakeTurnId(conversation, turn.message_id()).value());
  turn.set_type(std::string(type));
  turn.set_accepted_at_ms(now_ms);
  return turn;
}

bus::OutgoingRecord ToTurns(const mesh::bus::v1::Turn& turn, const bus::BusOptions& options) {
  bus::OutgoingRecord record;
  record.topic = bus::TopicName(options, bus::kTurns);
  record.key = identity::KeyOf(turn.conversation()).value();
  record.value = turn.SerializeAsString();
  record.headers = bus::MakeHeaders(telemetry::TraceContext::NewRoot(), records::kTurnType, base::ToHex(turn.turn_id()),
                                    "meshctl", turn.accepted_at_ms());
  return record;
}

}  // namespace

bus::OutgoingRecord ForgetRecord(const mesh::bus::v1::ConversationId& conversation,
                                 const mesh::session::v1::GetSessionResponse& history, const bus::BusOptions& options,
                                 std::int64_t now_ms) {
  mesh::bus::v1::Turn turn = MakeTurn(conversation, "forget", mesh::bus::v1::TURN_KIND_FORGET, now_ms);
  // A worker asks its store eight times for each, and hundreds of them hold up what else is to be deleted.
  for (const mesh::session::v1::HistoryTurn& past : history.turns()) {
    if (session::MayNameFiles(past.user_text())) turn.add_forgotten_turn_ids(past.turn_id());
  }
  return ToTurns(turn, options);
}

bus::OutgoingRecord ControlRecord(const mesh::bus::v1::ConversationId& conversation,
                                  mesh::bus::v1::ControlAction action, const bus::BusOptions& options,
                                  std::int64_t now_ms) {
  CHECK_MSG(action != mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED, "a control record without an action");
  mesh::bus::v1::Turn turn =
      MakeTurn(conversation, channel::ControlName(action), mesh::bus::v1::TURN_KIND_CONTROL, now_ms);
  turn.set_control(action);
  return ToTurns(turn, options);
}

}  // namespace meshctl
