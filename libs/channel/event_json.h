#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/channel/event.h"

namespace channel {

std::string_view ToString(EventKind kind);  // "message", "postback", ...

// What `meshctl decode` prints for one file, as one line of JSON without a newline; the golden tests compare it:
//   {"file","status":"ok|rejected","reason","events":[{"kind","message_id","account","user","timestamp_ms","text",
//    "attachments":[{"type","id","url","mime_type"}]}]}
// `reason` is "" when the body was decoded.
std::string DecodeLine(std::string_view file, const absl::StatusOr<std::vector<Event>>& decoded);

}  // namespace channel
