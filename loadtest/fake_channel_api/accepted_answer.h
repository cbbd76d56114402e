#pragma once

#include <string>
#include <string_view>

#include "loadtest/fake_channel_api/graph_error.h"
#include "loadtest/fake_channel_api/send.h"

namespace fake_channel_api {

// Bodies of 200 (channels.md 3.1).
std::string AcceptedAnswer(const Send& send);
std::string ActionAnswer(mesh::bus::v1::Channel channel, std::string_view user);

GraphError RateLimited(mesh::bus::v1::Channel channel);  // the channel's own code for too many sends

}  // namespace fake_channel_api
