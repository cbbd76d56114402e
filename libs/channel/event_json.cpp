#include "libs/channel/event_json.h"

#include <utility>

#include "libs/base/check.h"
#include "libs/json/writer.h"

namespace channel {
namespace {

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
  json.Field("message_id", event.message_id);
  json.Field("account", event.account);
  json.Field("user", event.user);
  json.Field("timestamp_ms", event.timestamp_ms);
  json.Field("text", event.text);
  json.Key("attachments");
  json.BeginArray();
  for (const mesh::bus::v1::Attachment& attachment : event.attachments) WriteAttachment(attachment, json);
  json.EndArray();
  if (event.control != mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED) json.Field("control", ControlName(event.control));
  if (!event.thread_owner_app_id.empty()) json.Field("thread_owner_app_id", event.thread_owner_app_id);
  if (!event.unsent_message_id.empty()) json.Field("unsent_message_id", event.unsent_message_id);
  json.EndObject();
}

}  // namespace

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
