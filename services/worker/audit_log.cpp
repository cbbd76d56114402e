#include "services/worker/audit_log.h"

#include <utility>

#include "libs/base/hex.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"

namespace worker {

void ProducePolicyDrop(bus::Producer& producer, const bus::BusOptions& bus, const telemetry::TraceContext& trace,
                       const mesh::bus::v1::PolicyDrop& drop, std::int64_t wall_ms, bus::DeliveryCallback on_delivery) {
  mesh::bus::v1::AuditRecord audit;
  *audit.mutable_policy_drop() = drop;
  audit.set_written_at_ms(wall_ms);
  bus::OutgoingRecord record;
  record.topic = bus::TopicName(bus, bus::kAudit);
  record.key = drop.conversation().tenant();
  record.value = audit.SerializeAsString();
  record.headers =
      bus::MakeHeaders(trace, "mesh.bus.v1.AuditRecord", base::ToHex(drop.turn_id()) + "-drop", "worker", wall_ms);
  producer.Produce(std::move(record), std::move(on_delivery));
}

}  // namespace worker
