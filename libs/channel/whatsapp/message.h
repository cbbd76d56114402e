#pragma once

#include <cstdint>
#include <string>

#include "libs/channel/event.h"
#include "libs/json/value.h"

namespace channel::whatsapp {

// What the `value` around an item says about it.
struct ValueContext {
  std::string account;            // metadata.phone_number_id; the WABA's id where a change has none; may be empty
  json::Value contacts;           // contacts[]
  std::int64_t timestamp_ms = 0;  // the entry's, for items without one
};

// from -> from_user_id -> the single contact's wa_id or user_id (channels.md 2.1, BSUID); "" when nobody is named.
std::string ResolveSender(const json::Value& item, const json::Value& contacts);

// One element of messages[]; `message` is an object. Never fails: what has no usable content is a kEvent, what has no
// account or sender a kError.
Event DecodeMessage(const json::Value& message, const ValueContext& context);

// One element of message_echoes[]: what a person typed on the business's own phone (coexistence).
Event DecodeEcho(const json::Value& message, const ValueContext& context);

}  // namespace channel::whatsapp
