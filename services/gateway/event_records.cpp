#include "services/gateway/event_records.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "libs/base/byte_key.h"
#include "libs/base/hex.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"
#include "libs/crypto/digest.h"
#include "libs/identity/identity.h"
#include "libs/retention/retention.h"
#include "proto/bus/v1/bus.pb.h"
#include "services/gateway/control_words.h"

namespace gateway {
namespace {

using channel::Event;
using channel::EventKind;

// For so long it is remembered which turns are finished. A signature holds no time: what somebody captured and sends
// later would be answered a second time.
constexpr std::int64_t kAgeMaxMs = std::chrono::milliseconds(retention::kLog).count();

constexpr std::string_view kService = "gateway";
constexpr std::size_t kAttachmentsMax = 32;

mesh::bus::v1::ConversationId ConversationOf(const Event& event, const account::Account& account) {
  mesh::bus::v1::ConversationId conversation;
  conversation.set_tenant(account.tenant);
  conversation.set_channel(account.channel);
  conversation.set_account(account.account_id);
  conversation.set_user(event.user);
  return conversation;
}

mesh::bus::v1::TurnKind TurnKindOf(const Event& event) {
  switch (event.kind) {
    case EventKind::kMessage:
    case EventKind::kUnreadable:
      return mesh::bus::v1::TURN_KIND_MESSAGE;
    case EventKind::kPostback:
      return mesh::bus::v1::TURN_KIND_POSTBACK;
    default:
      break;
  }
  if (!event.unsent_message_id.empty()) return mesh::bus::v1::TURN_KIND_UNSEND;
  if (event.control != mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED) return mesh::bus::v1::TURN_KIND_CONTROL;
  // WhatsApp tells in two ways that a user's number or id has changed (channels.md 2.1): a message of type `system`,
  // and a change of field `user_id_update`.
  const bool is_identity = event.kind == EventKind::kEvent && event.channel == mesh::bus::v1::CHANNEL_WHATSAPP &&
                           (event.type == "system" || event.type == "user_id_update");
  return is_identity ? mesh::bus::v1::TURN_KIND_IDENTITY_CHANGE : mesh::bus::v1::TURN_KIND_EVENT;
}

// Whoever has the thread answers: where the account names its app, the event's word for the owner decides.
mesh::bus::v1::ControlAction ControlOf(const Event& event, const account::Account& account) {
  if (event.thread_owner_app_id.empty() || account.app_id.empty()) return event.control;
  return event.thread_owner_app_id == account.app_id ? mesh::bus::v1::CONTROL_ACTION_RESUME
                                                     : mesh::bus::v1::CONTROL_ACTION_PAUSE;
}

// An unsend says which message it is about, and nothing of what stood in it.
void FillUnsend(const Event& event, mesh::bus::v1::Turn& turn) {
  turn.set_target_turn_id(identity::MakeTurnId(turn.conversation(), event.unsent_message_id).value());
  turn.clear_text();
  turn.clear_attachments();
  turn.clear_original();
}

bus::OutgoingRecord TurnRecord(const Event& event, const account::Account& account, const RecordTopics& topics,
                               const Acceptance& acceptance) {
  mesh::bus::v1::Turn turn;
  *turn.mutable_conversation() = ConversationOf(event, account);
  const identity::TurnId turn_id = identity::MakeTurnId(turn.conversation(), event.message_id);
  turn.set_turn_id(turn_id.value());
  turn.set_message_id(event.message_id);
  turn.set_kind(TurnKindOf(event));
  turn.set_mode(mesh::bus::v1::MODE_INSTANT);
  turn.set_text(event.text);
  for (std::size_t i = 0; i < std::min(event.attachments.size(), kAttachmentsMax); ++i) {
    *turn.add_attachments() = event.attachments[i];
  }
  turn.set_type(event.type);
  turn.set_unreadable(event.kind == EventKind::kUnreadable);
  turn.set_reply_to_message_id(event.reply_to_message_id);
  turn.set_sent_at_ms(event.timestamp_ms);
  turn.set_accepted_at_ms(acceptance.wall_ms);
  turn.set_original(event.original);
  const mesh::bus::v1::ControlAction asked_for = ControlAskedFor(event, account);
  const bool is_word = asked_for != mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED;
  turn.set_control(is_word ? asked_for : ControlOf(event, account));
  if (turn.kind() == mesh::bus::v1::TURN_KIND_UNSEND) FillUnsend(event, turn);
  return {.topic = topics.turns,
          .partition = -1,
          .key = identity::KeyOf(turn.conversation()).value(),
          .value = turn.SerializeAsString(),
          .headers = bus::MakeHeaders(acceptance.trace.NewChild(), turn.GetTypeName(), base::ToHex(turn_id.value()),
                                      kService, acceptance.wall_ms)};
}

bus::OutgoingRecord StatusRecord(const Event& event, const account::Account& account, const RecordTopics& topics,
                                 const Acceptance& acceptance) {
  mesh::bus::v1::DeliveryStatus status;
  *status.mutable_conversation() = ConversationOf(event, account);
  status.set_message_id(event.message_id);
  status.set_state(event.kind == EventKind::kEcho ? mesh::bus::v1::DELIVERY_STATE_ECHO : event.state);
  status.set_reply_id_hex(event.reply_id_hex);
  status.set_timestamp_ms(event.timestamp_ms);
  status.set_watermark_ms(event.watermark_ms);
  status.set_error_code(event.error_code);
  status.set_error_title(event.error_title);
  // Instagram's echo has no field of ours: the sender finds its message by user and text.
  if (event.kind == EventKind::kEcho && !event.text.empty()) {
    status.set_text_digest(std::string(crypto::AsBytes(crypto::Sha256(event.text))));
  }
  status.set_accepted_at_ms(acceptance.wall_ms);
  std::string key = identity::KeyOf(status.conversation()).value();
  // The same fact told twice has the same id: everything but the time of acceptance.
  const std::string id =
      base::JoinLengthPrefixed({key, status.message_id(), std::to_string(status.state()),
                                std::to_string(status.timestamp_ms()), std::to_string(status.watermark_ms())});
  return {.topic = topics.statuses,
          .partition = -1,
          .key = std::move(key),
          .value = status.SerializeAsString(),
          .headers = bus::MakeHeaders(acceptance.trace.NewChild(), status.GetTypeName(),
                                      base::ToHex(crypto::AsBytes(crypto::Sha256(id))), kService, acceptance.wall_ms)};
}

}  // namespace

RecordTopics::RecordTopics(const bus::BusOptions& bus)
    : turns(bus::TopicName(bus, bus::kTurns)), statuses(bus::TopicName(bus, bus::kStatuses)) {}

std::variant<bus::OutgoingRecord, Ignored> ToRecord(const Event& event, const account::Account& account,
                                                    const RecordTopics& topics, const Acceptance& acceptance) {
  if (event.kind == EventKind::kError) return Ignored{event.error};
  if (event.kind == EventKind::kDuplicate) return Ignored{"duplicate"};
  // What is told about the account as a whole has no conversation to be kept in.
  if (event.user.empty()) return Ignored{"no_user"};
  if (event.kind == EventKind::kStatus || event.kind == EventKind::kEcho) {
    return StatusRecord(event, account, topics, acceptance);
  }
  // What takes a message back may have that message's time, and deletes nothing twice.
  const bool is_old = event.timestamp_ms > 0 && acceptance.wall_ms - event.timestamp_ms > kAgeMaxMs;
  if (is_old && event.unsent_message_id.empty()) return Ignored{"too_old"};
  return TurnRecord(event, account, topics, acceptance);
}

}  // namespace gateway
