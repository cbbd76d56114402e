#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/channel/event.h"

namespace channel {

std::string_view ToString(EventKind kind);                          // "message", "postback", ...
std::string_view ControlName(mesh::bus::v1::ControlAction action);  // "pause", "resume", "opt_out", "opt_in"

// What `meshctl decode` prints for one file, as one line of JSON without a newline; the golden tests compare it:
//   {"file","status":"ok|rejected","reason","events":[{"kind","message_id","account","user","timestamp_ms","text",
//    "attachments":[{"type","id","url","mime_type"}],"control","thread_owner_app_id","unsent_message_id"}]}
// `reason` is "" when the body was decoded. The last three stand only where the item says so; `control` is pause,
// resume, opt_out or opt_in.
std::string DecodeLine(std::string_view file, const absl::StatusOr<std::vector<Event>>& decoded);

}  // namespace channel
