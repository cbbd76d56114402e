#include "services/meshctl/forget_record.h"

#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"
#include "libs/identity/identity.h"

namespace meshctl {

bus::OutgoingRecord ForgetRecord(const mesh::bus::v1::ConversationId& conversation, const bus::BusOptions& options,
                                 std::int64_t now_ms) {
  mesh::bus::v1::Turn turn;
  *turn.mutable_conversation() = conversation;
  turn.set_kind(mesh::bus::v1::TURN_KIND_FORGET);
  turn.set_message_id(base::StrCat("forget-", now_ms));
  turn.set_turn_id(identity::MakeTurnId(conversation, turn.message_id()).value());
  turn.set_type("forget");
  turn.set_accepted_at_ms(now_ms);
  bus::OutgoingRecord record;
  record.topic = bus::TopicName(options, bus::kTurns);
  record.key = identity::KeyOf(conversation).value();
  record.value = turn.SerializeAsString();
  record.headers = bus::MakeHeaders(telemetry::TraceContext::NewRoot(), "mesh.bus.v1.Turn", base::ToHex(turn.turn_id()),
                                    "meshctl", now_ms);
  return record;
}

}  // namespace meshctl
