#include "services/sender/live_effects.h"

#include <gtest/gtest.h>

#include <future>

#include "libs/bus/headers.h"
#include "tests/fakes/fake_producer.h"

namespace sender {
namespace {

// A sender that dies behind the copy writes it again: readers tell copies by their id, which is the place of the
// reply that is parked. The reply's own id names its turn, and a later generation of it may be parked as well.
TEST(LiveEffectsTest, CopiesOfAParkedReplyHaveOneIdAndOtherGenerationsAnother) {
  app::EventLoop loop{64};
  fakes::FakeProducer producer;
  LiveEffects::Parts parts;
  parts.loop = &loop;
  parts.producer = &producer;
  LiveEffects effects(parts);
  bus::Record reply;
  reply.topic = "mesh.replies";
  reply.partition = 3;
  reply.offset = 17;
  reply.key = "key";
  reply.value = "value";
  reply.headers =
      bus::MakeHeaders(telemetry::TraceContext::NewRoot(), "mesh.bus.v1.ReplyRecord", "the turn", "worker", 0);
  bus::Record later = reply;
  later.offset = 18;
  for (const bus::Record* record : {&reply, &reply, &later}) {
    std::promise<absl::StatusOr<std::int64_t>> written;
    effects.WriteParked(*record, ParkReason::kAccount,
                        [&](absl::StatusOr<std::int64_t> offset) { written.set_value(std::move(offset)); });
    ASSERT_TRUE(written.get_future().get().ok());
  }
  const auto log = producer.log();
  ASSERT_EQ(log.size(), 3u);
  EXPECT_EQ(bus::FindHeader(log[0].headers, "ce_id"), "mesh.replies/3/17");
  EXPECT_EQ(bus::FindHeader(log[1].headers, "ce_id"), "mesh.replies/3/17");
  EXPECT_EQ(bus::FindHeader(log[2].headers, "ce_id"), "mesh.replies/3/18");
  EXPECT_EQ(bus::FindHeader(log[0].headers, "traceparent"), bus::FindHeader(reply.headers, "traceparent"));
  EXPECT_EQ(log[0].topic, "mesh.parked");
  EXPECT_EQ(log[0].partition, 3);
  EXPECT_EQ(log[0].value, "value");
  loop.Stop();
}

}  // namespace
}  // namespace sender
