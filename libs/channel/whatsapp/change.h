#pragma once

#include <cstdint>
#include <string>

#include "libs/channel/internal/event_list.h"
#include "libs/json/value.h"

namespace channel::whatsapp {

// One element of an entry's changes[]: {field, value}. `change` is an object; `waba` is the entry's id.
void DecodeChange(const json::Value& change, const std::string& waba, std::int64_t entry_timestamp_ms,
                  EventList& events);

}  // namespace channel::whatsapp
