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

// Whether a record is what its topic's v1 readers read: its ce_type is theirs, or it has none. A breaking change
// of a schema is another type (`mesh.bus.v2...`), whose bytes may parse as the old one and mean something else.
bool IsOfType(const Headers& headers, std::string_view ce_type);

// Of a turn that an operator requeued: how often, in decimal. Without it the generation is 0. A turn's bytes never
// change, and its replies need new ids to be said (design.md, "reply id").
inline constexpr std::string_view kGenerationHeader = "mesh-generation";
std::uint32_t GenerationOf(const Headers& headers);  // 0 when there is none or it is no number

// Of a dead letter: the ce_type of the record it holds, which it has again when it is requeued.
inline constexpr std::string_view kOriginTypeHeader = "mesh-origin-type";

// The trace of a record; a new root when it carries none.
telemetry::TraceContext TraceOf(const Headers& headers);

}  // namespace bus
