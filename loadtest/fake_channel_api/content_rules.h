#pragma once

#include <optional>
#include <string_view>

#include "libs/json/value.h"
#include "loadtest/fake_channel_api/graph_error.h"
#include "proto/bus/v1/bus.pb.h"

// What Meta checks of a message that is more than text (channels.md 3.1, 3.4). Shares no code with the codecs whose
// output it judges. nullopt: taken.
namespace fake_channel_api {

// `content`: the object named by the message's `type`. Kinds that the services never send are not looked into.
std::optional<GraphError> CheckWhatsAppContent(std::string_view type, const json::Value& content);

// `message` of the Send API: its attachment and its quick replies.
std::optional<GraphError> CheckMessagingContent(const json::Value& message, bool is_instagram);

}  // namespace fake_channel_api
