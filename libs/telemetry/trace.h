#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace telemetry {

// W3C Trace Context (https://www.w3.org/TR/trace-context/): who caused this work. Carried from the webhook through
// Kafka headers and gRPC metadata to the send, always under the name `traceparent`.
struct TraceContext {
  TraceContext() = default;  // declared so that a braced list of log fields is never taken for a TraceContext

  std::string trace_id;    // 32 lower-case hex digits, not all zero
  std::string span_id;     // 16 lower-case hex digits, not all zero
  std::uint8_t flags = 1;  // bit 0: sampled. Other bits are cleared by Parse, as the specification asks of version 00

  static TraceContext NewRoot();  // random ids
  // nullopt when malformed. A version above 00 is read as far as version 00 goes, and leaves as version 00.
  static std::optional<TraceContext> Parse(std::string_view traceparent);
  TraceContext NewChild() const;      // same trace, new span
  std::string ToTraceparent() const;  // 00-<trace>-<span>-<flags>
};

}  // namespace telemetry
