#pragma once

#include <cstdint>
#include <string>

#include "libs/channel/internal/event_list.h"
#include "libs/json/value.h"
#include "proto/bus/v1/bus.pb.h"

namespace channel {

// What an entry says about all of its items.
struct MessagingEntry {
  mesh::bus::v1::Channel channel = mesh::bus::v1::CHANNEL_UNSPECIFIED;
  std::string id;                 // page or Instagram account; may be empty
  std::int64_t timestamp_ms = 0;  // for items without one
  bool is_standby = false;        // another app owns these threads
};

// One item of `messaging` or `standby`; `item` is an object. Usually one event; a delivery report gives one a message.
void DecodeMessagingItem(const json::Value& item, const MessagingEntry& entry, EventList& events);

}  // namespace channel
