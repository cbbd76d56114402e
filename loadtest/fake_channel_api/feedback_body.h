#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "loadtest/fake_channel_api/send.h"

namespace fake_channel_api {

// The webhook bodies that tell about one send, in the order in which Meta sends them (channels.md 2).
std::vector<std::string> FeedbackBodies(const Send& send);

}  // namespace fake_channel_api
