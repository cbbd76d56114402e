#pragma once

#include "libs/channel/internal/event_list.h"
#include "libs/json/value.h"
#include "proto/bus/v1/bus.pb.h"

namespace channel {

// One entry of a Messenger or Instagram webhook, which share their shape (channels.md 2.2, 2.3):
// {id, time, messaging: [item...] | standby: [item...] | changes: [{field, value}...]}.
void DecodeMessagingEntry(const json::Value& entry, mesh::bus::v1::Channel channel, EventList& events);

}  // namespace channel
