#pragma once

#include <cstdint>
#include <string_view>

#include "libs/bus/options.h"
#include "libs/bus/producer.h"
#include "libs/telemetry/trace.h"
#include "proto/bus/v1/audit.pb.h"

namespace bus {

// Writes a record to `audit`; `on_delivery` as in Producer. `id` names the fact that it states: written again after a
// crash, the record says the same, and readers go by it.
void ProduceAudit(Producer& producer, const BusOptions& bus, const telemetry::TraceContext& trace,
                  mesh::bus::v1::AuditRecord audit, std::string_view tenant, std::string_view id,
                  std::string_view service, std::int64_t wall_ms, DeliveryCallback on_delivery);

}  // namespace bus
