#include "libs/telemetry/trace.h"

#include <cstddef>

#include "libs/base/hex.h"
#include "libs/crypto/random.h"

namespace telemetry {
namespace {

// version "-" trace-id "-" parent-id "-" trace-flags, in hex digits: 2, 32, 16, 2.
constexpr std::size_t kVersion00Size = 55;
constexpr std::size_t kTraceIdBegin = 3;
constexpr std::size_t kTraceIdSize = 32;
constexpr std::size_t kSpanIdBegin = 36;
constexpr std::size_t kSpanIdSize = 16;
constexpr std::size_t kFlagsBegin = 53;
constexpr std::uint8_t kSampled = 0x01;

bool IsLowerHex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }
bool IsAllZero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

// An all-zero id is invalid on the wire; drawing it is as likely as guessing a key, and the loop costs nothing.
std::string RandomId(std::size_t hex_digits) {
  std::string id;
  do {
    id = base::ToHex(crypto::RandomBytes(hex_digits / 2));
  } while (IsAllZero(id));
  return id;
}

}  // namespace

TraceContext TraceContext::NewRoot() {
  TraceContext context;
  context.trace_id = RandomId(kTraceIdSize);
  context.span_id = RandomId(kSpanIdSize);
  return context;
}

std::optional<TraceContext> TraceContext::Parse(std::string_view traceparent) {
  if (traceparent.size() < kVersion00Size) return std::nullopt;
  const std::string_view version = traceparent.substr(0, 2);
  if (!IsLowerHex(version) || version == "ff") return std::nullopt;
  if (traceparent.size() > kVersion00Size && (version == "00" || traceparent[kVersion00Size] != '-')) {
    return std::nullopt;
  }
  if (traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-') return std::nullopt;

  const std::string_view trace_id = traceparent.substr(kTraceIdBegin, kTraceIdSize);
  const std::string_view span_id = traceparent.substr(kSpanIdBegin, kSpanIdSize);
  const std::string_view flags = traceparent.substr(kFlagsBegin, 2);
  if (!IsLowerHex(trace_id) || !IsLowerHex(span_id) || !IsLowerHex(flags)) return std::nullopt;
  if (IsAllZero(trace_id) || IsAllZero(span_id)) return std::nullopt;

  TraceContext context;
  context.trace_id = trace_id;
  context.span_id = span_id;
  context.flags = static_cast<std::uint8_t>(base::FromHex(flags)->front()) & kSampled;
  return context;
}

TraceContext TraceContext::NewChild() const {
  TraceContext child = *this;
  child.span_id = RandomId(kSpanIdSize);
  return child;
}

std::string TraceContext::ToTraceparent() const {
  const char flags_byte = static_cast<char>(flags);
  return "00-" + trace_id + "-" + span_id + "-" + base::ToHex(std::string_view(&flags_byte, 1));
}

}  // namespace telemetry
