#include "libs/bus/headers.h"

#include <charconv>
#include <string>

#include "absl/time/time.h"
#include "libs/base/str_cat.h"

namespace bus {

Headers MakeHeaders(const telemetry::TraceContext& trace, std::string_view ce_type, std::string_view ce_id,
                    std::string_view service, std::int64_t wall_ms) {
  // CloudEvents wants RFC 3339 for `time`.
  std::string time = absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMillis(wall_ms), absl::UTCTimeZone());
  return {
      {"traceparent", trace.ToTraceparent()},
      {"ce_specversion", "1.0"},
      {"ce_type", std::string(ce_type)},
      {"ce_id", std::string(ce_id)},
      {"ce_source", base::StrCat("/musemesh/", service)},
      {"ce_time", std::move(time)},
      {"content-type", "application/protobuf"},
  };
}

bool IsOfType(const Headers& headers, std::string_view ce_type) {
  const std::string_view found = FindHeader(headers, "ce_type");
  return found.empty() || found == ce_type;
}

std::uint32_t GenerationOf(const Headers& headers) {
  const std::string_view text = FindHeader(headers, kGenerationHeader);
  std::uint32_t generation = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), generation);
  return error == std::errc() && end == text.data() + text.size() ? generation : 0;
}

telemetry::TraceContext TraceOf(const Headers& headers) {
  return telemetry::TraceContext::Parse(FindHeader(headers, "traceparent"))
      .value_or(telemetry::TraceContext::NewRoot());
}

}  // namespace bus
