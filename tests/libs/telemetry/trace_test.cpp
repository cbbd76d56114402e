#include "libs/telemetry/trace.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace telemetry {
namespace {

// The example of the specification, https://www.w3.org/TR/trace-context/#examples-of-http-traceparent-headers.
constexpr char kExample[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContextTest, ReadsAndWritesTheExampleOfTheSpecification) {
  const auto context = TraceContext::Parse(kExample);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(context->span_id, "00f067aa0ba902b7");
  EXPECT_EQ(context->flags, 1);
  EXPECT_EQ(context->ToTraceparent(), kExample);
}

TEST(TraceContextTest, KeepsNotSampledAndClearsFlagsItDoesNotKnow) {
  const std::string stem(kExample, 53);
  EXPECT_EQ(TraceContext::Parse(stem + "00")->ToTraceparent(), stem + "00");
  EXPECT_EQ(TraceContext::Parse(stem + "ff")->ToTraceparent(), stem + "01");
  EXPECT_EQ(TraceContext::Parse(stem + "fe")->ToTraceparent(), stem + "00");
}

TEST(TraceContextTest, ReadsAFutureVersionAsFarAsItIsKnown) {
  const std::string future = "cc" + std::string(kExample + 2);
  EXPECT_EQ(TraceContext::Parse(future)->ToTraceparent(), kExample);
  EXPECT_EQ(TraceContext::Parse(future + "-what-the-future-brings")->ToTraceparent(), kExample);
  EXPECT_FALSE(TraceContext::Parse(future + ".what"));
}

TEST(TraceContextTest, RefusesWhatIsMalformed) {
  for (const std::string text : {
           "",
           "00",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",  // version 00 has no more
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",   // forbidden version
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",   // upper case
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",   // zero trace
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",   // zero span
           "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
           " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
       }) {
    EXPECT_FALSE(TraceContext::Parse(text)) << text;
  }
}

TEST(TraceContextTest, EveryPrefixOfAValidTextIsRefused) {
  const std::string text = kExample;
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(TraceContext::Parse(text.substr(0, size)));
}

TEST(TraceContextTest, NewRootsAreValidAndDistinct) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const TraceContext root = TraceContext::NewRoot();
    EXPECT_TRUE(TraceContext::Parse(root.ToTraceparent()));
    EXPECT_TRUE(seen.insert(root.trace_id).second);
  }
}

TEST(TraceContextTest, AChildStaysInItsTrace) {
  TraceContext parent = *TraceContext::Parse(kExample);
  parent.flags = 0;
  const TraceContext child = parent.NewChild();
  EXPECT_EQ(child.trace_id, parent.trace_id);
  EXPECT_EQ(child.flags, 0);
  EXPECT_NE(child.span_id, parent.span_id);
}

}  // namespace
}  // namespace telemetry
