#include "libs/channel/event_json.h"

#include <utility>

#include "libs/base/check.h"
#include "libs/json/writer.h"

namespace channel {
namespace {

void WriteIfSet(std::string_view key, std::string_view text, json::Writer& json) {
  if (!text.empty()) json.Field(key, text);
}

void WriteAttachment(const mesh::bus::v1::Attachment& attachment, json::Writer& json) {
  json.BeginObject();
  json.Field("type", attachment.type());
  json.Field("id", attachment.id());
  json.Field("url", attachment.url());
  json.Field("mime_type", attachment.mime_type());
  json.EndObject();
}

void WriteEvent(const Event& event, json::Writer& json) {
  json.BeginObject();
  json.Field("kind", ToString(event.kind));
  json.Field("type", event.type);
  json.Field("message_id", event.message_id);
  json.Field("account", event.account);
  json.Field("user", event.user);
  json.Field("timestamp_ms", event.timestamp_ms);
  json.Field("text", event.text);
  json.Key("attachments");
  json.BeginArray();
  for (const mesh::bus::v1::Attachment& attachment : event.attachments) WriteAttachment(attachment, json);
  json.EndArray();
  WriteIfSet("reply_to_message_id", event.reply_to_message_id, json);
  WriteIfSet("state", StateName(event.state), json);
  WriteIfSet("reply_id", event.reply_id_hex, json);
  if (event.watermark_ms != 0) json.Field("watermark_ms", event.watermark_ms);
  if (event.error_code != 0) json.Field("error_code", event.error_code);
  WriteIfSet("error_title", event.error_title, json);
  if (event.control != mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED) json.Field("control", ControlName(event.control));
  WriteIfSet("thread_owner_app_id", event.thread_owner_app_id, json);
  WriteIfSet("unsent_message_id", event.unsent_message_id, json);
  if (!event.original.empty()) json.Field("has_original", true);
  WriteIfSet("error", event.error, json);
  json.EndObject();
}

}  // namespace

std::string_view StateName(mesh::bus::v1::DeliveryState state) {
  switch (state) {
    case mesh::bus::v1::DELIVERY_STATE_SENT:
      return "sent";
    case mesh::bus::v1::DELIVERY_STATE_DELIVERED:
      return "delivered";
    case mesh::bus::v1::DELIVERY_STATE_READ:
      return "read";
    case mesh::bus::v1::DELIVERY_STATE_FAILED:
      return "failed";
    case mesh::bus::v1::DELIVERY_STATE_DELETED:
      return "deleted";
    case mesh::bus::v1::DELIVERY_STATE_ECHO:
      return "echo";
    default:
      return "";
  }
}

std::string_view ControlName(mesh::bus::v1::ControlAction action) {
  switch (action) {
    case mesh::bus::v1::CONTROL_ACTION_PAUSE:
      return "pause";
    case mesh::bus::v1::CONTROL_ACTION_RESUME:
      return "resume";
    case mesh::bus::v1::CONTROL_ACTION_OPT_OUT:
      return "opt_out";
    case mesh::bus::v1::CONTROL_ACTION_OPT_IN:
      return "opt_in";
    default:
      return "unknown";
  }
}

std::string_view ToString(EventKind kind) {
  switch (kind) {
    case EventKind::kMessage:
      return "message";
    case EventKind::kPostback:
      return "postback";
    case EventKind::kUnreadable:
      return "unreadable";
    case EventKind::kStatus:
      return "status";
    case EventKind::kEcho:
      return "echo";
    case EventKind::kStandby:
      return "standby";
    case EventKind::kEvent:
      return "event";
    case EventKind::kError:
      return "error";
    case EventKind::kDuplicate:
      return "duplicate";
    case EventKind::kCount:
      break;
  }
  CHECK_MSG(false, "an event kind without a name");
}

std::string DecodeLine(std::string_view file, const absl::StatusOr<std::vector<Event>>& decoded) {
  json::Writer json;
  json.BeginObject();
  json.Field("file", file);
  json.Field("status", decoded.ok() ? "ok" : "rejected");
  json.Field("reason", decoded.ok() ? std::string() : std::string(decoded.status().message()));
  json.Key("events");
  json.BeginArray();
  if (decoded.ok()) {
    for (const Event& event : *decoded) WriteEvent(event, json);
  }
  json.EndArray();
  json.EndObject();
  return std::move(json).Take();
}

}  // namespace channel
