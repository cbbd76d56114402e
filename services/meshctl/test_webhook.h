#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/bus/v1/bus.pb.h"

namespace meshctl {

struct TestMessage {
  std::string account;
  std::string user;
  std::string message_id;
  std::string text;
  std::int64_t now_ms = 0;
};

// The body of a webhook with one text message, shaped as Meta sends it (channels.md 2.1 to 2.3), with non-ASCII
// characters and slashes escaped as Meta escapes them: a gateway that hashes anything but the raw bytes refuses it.
// REQUIRES: whatsapp, messenger or instagram
std::string TextWebhook(mesh::bus::v1::Channel channel, const TestMessage& message);

// An id in the channel's form ("wamid...." / "m_...") and a user id of plausible shape, both random.
std::string NewMessageId(mesh::bus::v1::Channel channel);
std::string NewUserId(mesh::bus::v1::Channel channel);

}  // namespace meshctl
