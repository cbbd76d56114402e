#include "libs/bus/headers.h"

#include <gtest/gtest.h>

#include "libs/telemetry/trace.h"

namespace bus {
namespace {

TEST(HeadersTest, CarryTraceCloudEventAndContentType) {
  const telemetry::TraceContext trace = telemetry::TraceContext::NewRoot();
  const Headers headers = MakeHeaders(trace, "mesh.bus.v1.Turn", "00ff", "gateway", /*wall_ms=*/1'700'000'000'123);
  EXPECT_EQ(FindHeader(headers, "traceparent"), trace.ToTraceparent());
  EXPECT_EQ(FindHeader(headers, "ce_specversion"), "1.0");
  EXPECT_EQ(FindHeader(headers, "ce_type"), "mesh.bus.v1.Turn");
  EXPECT_EQ(FindHeader(headers, "ce_id"), "00ff");
  EXPECT_EQ(FindHeader(headers, "ce_source"), "/musemesh/gateway");
  EXPECT_EQ(FindHeader(headers, "ce_time"), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(FindHeader(headers, "content-type"), "application/protobuf");
}

TEST(HeadersTest, TraceOfFindsTheWritersTrace) {
  const telemetry::TraceContext trace = telemetry::TraceContext::NewRoot();
  const telemetry::TraceContext read = TraceOf(MakeHeaders(trace, "t", "i", "gateway", 0));
  EXPECT_EQ(read.trace_id, trace.trace_id);
  EXPECT_EQ(read.span_id, trace.span_id);
}

TEST(HeadersTest, AMissingOrMalformedTraceGivesANewRoot) {
  const telemetry::TraceContext a = TraceOf({});
  const telemetry::TraceContext b = TraceOf({{"traceparent", "00-zz"}});
  EXPECT_EQ(a.trace_id.size(), 32u);
  EXPECT_EQ(b.trace_id.size(), 32u);
  EXPECT_NE(a.trace_id, b.trace_id);
}

}  // namespace
}  // namespace bus
