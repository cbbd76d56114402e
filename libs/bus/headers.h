#pragma once

#include <cstdint>
#include <string_view>

#include "libs/bus/record.h"
#include "libs/telemetry/trace.h"

namespace bus {

// The headers of every record: traceparent, CloudEvents binary mode for Kafka
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md) and content-type.
//   ce_id: unique within ce_source (hex turn or record id); ce_type: full protobuf message name; ce_source:
//   /musemesh/<service>
Headers MakeHeaders(const telemetry::TraceContext& trace, std::string_view ce_type, std::string_view ce_id,
                    std::string_view service, std::int64_t wall_ms);

// Of a turn that an operator requeued: how often, in decimal. Without it the generation is 0. A turn's bytes never
// change, and its replies need new ids to be said (design.md, "reply id").
inline constexpr std::string_view kGenerationHeader = "mesh-generation";
std::uint32_t GenerationOf(const Headers& headers);  // 0 when there is none or it is no number

// The trace of a record; a new root when it carries none.
telemetry::TraceContext TraceOf(const Headers& headers);

}  // namespace bus
