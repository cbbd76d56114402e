#pragma once

#include <string_view>

#include "libs/channel/event.h"
#include "libs/json/value.h"

namespace channel::whatsapp {

// Reads what a message says, by its `type`: kind, text, attachments and the message it refers to (channels.md 2.1). An
// unknown type, or content of another shape than documented, is kUnreadable; of what is no message of its own (a
// reaction, an edit) it leaves a kEvent without text.
void DecodeContent(const json::Value& message, std::string_view type, Event& event);

}  // namespace channel::whatsapp
