#include "libs/channel/whatsapp/status.h"

#include <limits>
#include <optional>
#include <utility>

#include "libs/channel/internal/event_list.h"
#include "libs/channel/internal/field.h"

namespace channel::whatsapp {
namespace {

mesh::bus::v1::DeliveryState StateOf(std::string_view word) {
  if (word == "sent") return mesh::bus::v1::DELIVERY_STATE_SENT;
  if (word == "delivered") return mesh::bus::v1::DELIVERY_STATE_DELIVERED;
  if (word == "read" || word == "played") return mesh::bus::v1::DELIVERY_STATE_READ;  // played: a voice message
  if (word == "failed") return mesh::bus::v1::DELIVERY_STATE_FAILED;
  if (word == "deleted") return mesh::bus::v1::DELIVERY_STATE_DELETED;
  return mesh::bus::v1::DELIVERY_STATE_UNSPECIFIED;
}

std::string RecipientOf(const json::Value& status, const ValueContext& context) {
  std::string user = IdOf(status.Find("recipient_id"));
  if (user.empty()) user = IdOf(status.Find("recipient_user_id"));
  return !user.empty() ? user : ResolveSender(json::Value(), context.contacts);
}

}  // namespace

void DecodeError(const json::Value& error, Event& event) {
  const std::int64_t code = error.Find("code").AsInt64Lenient().value_or(0);
  if (code >= 0 && code <= std::numeric_limits<std::int32_t>::max()) event.error_code = static_cast<std::int32_t>(code);
  event.error_title = TextOf(error.Find("title"), kTitleBytesMax);
  if (event.error_title.empty()) event.error_title = TextOf(error.Find("message"), kTitleBytesMax);
}

Event DecodeStatus(const json::Value& status, const ValueContext& context) {
  Event event;
  event.channel = mesh::bus::v1::CHANNEL_WHATSAPP;
  event.account = context.account;
  event.user = RecipientOf(status, context);
  event.message_id = IdOf(status.Find("id"));
  event.timestamp_ms = TimestampMsOf(status.Find("timestamp"));
  if (event.timestamp_ms == 0) event.timestamp_ms = context.timestamp_ms;
  event.type = TextOf(status.Find("status"), kTypeBytesMax);
  event.state = StateOf(event.type);
  if (event.type.empty()) event.type = "unknown";
  for (const json::Value& error : status.Find("errors").items()) {
    DecodeError(error, event);
    break;  // the first one is the reason; Meta has never been seen to send more
  }
  if (std::string data = IdOf(status.Find("biz_opaque_callback_data")); IsReplyIdHex(data)) {
    event.reply_id_hex = std::move(data);
  }
  const bool usable = event.state != mesh::bus::v1::DELIVERY_STATE_UNSPECIFIED && !event.message_id.empty();
  event.kind = usable ? EventKind::kStatus : EventKind::kEvent;
  if (!usable) KeepOriginal(status, event);
  if (event.message_id.empty()) event.message_id = DerivedId(status);
  RequireParties(event);
  return event;
}

}  // namespace channel::whatsapp
