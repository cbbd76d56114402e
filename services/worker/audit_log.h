#pragma once

#include <cstdint>

#include "libs/bus/options.h"
#include "libs/bus/producer.h"
#include "libs/telemetry/trace.h"
#include "proto/bus/v1/audit.pb.h"

namespace worker {

// Writes to `audit` that a turn is not answered, and by which policy; `on_delivery` as in Producer. Written again after
// a crash, the record says the same: readers go by the turn id.
void ProducePolicyDrop(bus::Producer& producer, const bus::BusOptions& bus, const telemetry::TraceContext& trace,
                       const mesh::bus::v1::PolicyDrop& drop, std::int64_t wall_ms, bus::DeliveryCallback on_delivery);

}  // namespace worker
