#pragma once

#include <string_view>
#include <variant>

#include "loadtest/fake_channel_api/action.h"
#include "loadtest/fake_channel_api/graph_error.h"
#include "loadtest/fake_channel_api/send.h"
#include "proto/bus/v1/bus.pb.h"

namespace fake_channel_api {

// Checks a body of POST .../messages as Meta does and reads it (channels.md 3.1, 3.4). Of a Send, `channel`, `user`,
// `text`, `reply_id` and `in_reply_to` are filled, of an Action all but `ts_ms` and `account`. Shares no code with the
// codecs whose output it judges.
std::variant<Send, Action, GraphError> CheckBody(std::string_view body, mesh::bus::v1::Channel channel);

}  // namespace fake_channel_api
