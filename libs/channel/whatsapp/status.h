#pragma once

#include "libs/channel/event.h"
#include "libs/channel/whatsapp/message.h"
#include "libs/json/value.h"

namespace channel::whatsapp {

// One element of statuses[]: what became of a message of ours. A status word not known yet is a kEvent.
Event DecodeStatus(const json::Value& status, const ValueContext& context);

// Fills error_code and error_title from an element of errors[].
void DecodeError(const json::Value& error, Event& event);

}  // namespace channel::whatsapp
