#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/channel/event.h"
#include "libs/channel/internal/event_list.h"
#include "libs/json/value.h"

namespace channel {

// Decodes one element of the body's `entry` list; `entry` is an object.
using EntryDecoder = std::function<void(const json::Value& entry, EventList& events)>;

// The envelope that all three channels share: {"object": `object`, "entry": [...]}, sometimes wrapped in an array
// (channels.md 2.3). An entry that is no object becomes kError. InvalidArgument as in Codec::Decode.
absl::StatusOr<std::vector<Event>> DecodeBody(std::string_view body, std::string_view object,
                                              mesh::bus::v1::Channel channel, const EntryDecoder& decode_entry);

}  // namespace channel
