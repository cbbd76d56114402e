#include "libs/bus/audit.h"

#include <string>
#include <utility>

#include "libs/bus/headers.h"
#include "libs/bus/topics.h"

namespace bus {

void ProduceAudit(Producer& producer, const BusOptions& bus, const telemetry::TraceContext& trace,
                  mesh::bus::v1::AuditRecord audit, std::string_view tenant, std::string_view id,
                  std::string_view service, std::int64_t wall_ms, DeliveryCallback on_delivery) {
  audit.set_written_at_ms(wall_ms);
  OutgoingRecord record;
  record.topic = TopicName(bus, kAudit);
  record.key = std::string(tenant);
  record.value = audit.SerializeAsString();
  record.headers = MakeHeaders(trace, "mesh.bus.v1.AuditRecord", id, service, wall_ms);
  producer.Produce(std::move(record), std::move(on_delivery));
}

}  // namespace bus
