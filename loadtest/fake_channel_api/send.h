#pragma once

#include <cstdint>
#include <string>

#include "proto/bus/v1/bus.pb.h"

namespace fake_channel_api {

// A send that Meta would have shown to the user.
struct Send {
  std::int64_t ts_ms = 0;
  mesh::bus::v1::Channel channel = mesh::bus::v1::CHANNEL_UNSPECIFIED;
  std::string account = {};
  std::string user = {};
  std::string message_id = {};   // made here, as the platform makes it
  std::string text = {};         // empty for media and templates
  std::string kind = {};         // image, interactive, template, ...; attachment, quick_replies; empty: text alone
  std::string content = {};      // JSON of that name in the message
  std::string reply_id = {};     // biz_opaque_callback_data, message.metadata
  std::string in_reply_to = {};  // WhatsApp's context.message_id
  std::string traceparent = {};
  bool lost = false;  // nobody is ever told that it was shown
};

// {"ts_ms","channel","account","user","message_id","text","reply_id","in_reply_to","traceparent"}, no newline; with
// "lost":true where it is, and "kind" and "content" of what is more than text.
std::string ToJsonLine(const Send& send);

}  // namespace fake_channel_api
