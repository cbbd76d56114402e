#pragma once

#include <cstdint>
#include <string>

#include "proto/bus/v1/bus.pb.h"

namespace fake_channel_api {

// A request that shows no message to the user: read receipt, typing indicator.
struct Action {
  std::int64_t ts_ms = 0;
  mesh::bus::v1::Channel channel = mesh::bus::v1::CHANNEL_UNSPECIFIED;
  std::string account = {};
  std::string user = {};        // Messenger and Instagram
  std::string message_id = {};  // WhatsApp: the user's message
  std::string action = {};      // WhatsApp: read, typing (and read); else the sender_action
};

// {"ts_ms","channel","account","user","message_id","action"}, no newline.
std::string ToJsonLine(const Action& action);

}  // namespace fake_channel_api
