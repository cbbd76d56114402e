#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "libs/account/account.h"
#include "libs/bus/options.h"
#include "libs/bus/record.h"
#include "libs/channel/event.h"
#include "libs/telemetry/trace.h"

namespace gateway {

struct RecordTopics {
  explicit RecordTopics(const bus::BusOptions& bus);
  std::string turns;
  std::string statuses;
};

// What all records of one webhook have in common.
struct Acceptance {
  telemetry::TraceContext trace;  // the webhook's; each record gets a span of its own
  std::int64_t wall_ms = 0;
};

// Why an event gives no record, as counted by gateway_ignored_total.
struct Ignored {
  std::string_view reason;
};

// The one record of an event: what changes a conversation goes to `turns` as mesh.bus.v1.Turn, delivery statuses and
// echoes to `statuses` as mesh.bus.v1.DeliveryStatus, both keyed by the conversation. What says who answers becomes
// TURN_KIND_CONTROL, what takes a message back TURN_KIND_UNSEND, also of an item in standby; all other standby items
// and whatever has no meaning for an answer TURN_KIND_EVENT: kept, never answered. Pure.
//
// Size: a record stays below 512 KiB, for the codec bounds every field and attachments beyond 32 are left out (they are
// in `original`); the broker takes 1 MiB.
std::variant<bus::OutgoingRecord, Ignored> ToRecord(const channel::Event& event, const account::Account& account,
                                                    const RecordTopics& topics, const Acceptance& acceptance);

}  // namespace gateway
