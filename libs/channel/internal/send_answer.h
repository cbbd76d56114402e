#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "libs/channel/codec.h"
#include "libs/json/value.h"

namespace channel {

// Reads the platform's answer to a send (channels.md 3.1, 3.2). `find_message_id` takes the id out of a 2xx body.
//
// What decides is whether Graph itself spoke: an error object means that the send was looked at and not shown; a 4xx
// without one comes from something in front of Graph that did not let it through; a 5xx without one, or a 2xx without
// an id, leaves the send in doubt.
SendAnswer DecodeSendAnswer(int http_status, std::string_view body,
                            const std::function<std::string(const json::Value& root)>& find_message_id);

}  // namespace channel
