#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/channel/event.h"

namespace channel {

std::string_view ToString(EventKind kind);                          // "message", "postback", ...
std::string_view ControlName(mesh::bus::v1::ControlAction action);  // "pause", "resume", "opt_out", "opt_in"

std::string_view StateName(mesh::bus::v1::DeliveryState state);  // "sent", "delivered", ..., "echo"; "": none

// What `meshctl decode` prints for one file, as one line of JSON without a newline; the golden tests compare it:
//   {"file","status":"ok|rejected","reason","events":[{"kind","type","message_id","account","user","timestamp_ms",
//    "text","attachments":[{"type","id","url","mime_type"}],"reply_to_message_id","state","reply_id","watermark_ms",
//    "error_code","error_title","control","thread_owner_app_id","unsent_message_id","has_original","error"}]}
// `reason` is "" when the body was decoded. What stands behind `attachments` is there only where the item says so:
// `state` is sent, delivered, read, failed, deleted or echo; `control` is pause, resume, opt_out or opt_in;
// `has_original` is true where the event has the item's own JSON too; `error` is the reason of kind `error`.
std::string DecodeLine(std::string_view file, const absl::StatusOr<std::vector<Event>>& decoded);

}  // namespace channel
