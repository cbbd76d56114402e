#include "services/meshctl/rebuild.h"

#include <gtest/gtest.h>

#include "libs/bus/headers.h"
#include "libs/identity/identity.h"
#include "services/meshctl/forget_record.h"

namespace meshctl {
namespace {

TEST(ParseFromTest, TakesTheBeginningTimesAgoAndTimes) {
  constexpr std::int64_t kNow = 1'790'000'000'000;
  EXPECT_EQ(ParseFrom("beginning", kNow), 0);
  EXPECT_EQ(ParseFrom("90m", kNow), kNow - 90 * 60'000);
  EXPECT_EQ(ParseFrom("36h", kNow), kNow - 36 * 3'600'000);
  EXPECT_EQ(ParseFrom("8d", kNow), kNow - 8 * 86'400'000LL);
  EXPECT_EQ(ParseFrom("2026-11-25T08:00:00Z", kNow), 1'795'593'600'000);
  for (const char* text : {"", "8", "d", "-1h", "0h", "8w", "8dd", "yesterday", "2026-11-25"}) {
    EXPECT_FALSE(ParseFrom(text, kNow)) << text;
  }
}

TEST(ForgetRecordTest, IsATurnOfItsConversation) {
  mesh::bus::v1::ConversationId ann;
  ann.set_tenant("acme");
  ann.set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
  ann.set_account("1001");
  ann.set_user("ann");
  bus::BusOptions bus;
  const bus::OutgoingRecord record = ForgetRecord(ann, bus, 1234);
  EXPECT_EQ(record.topic, "mesh.turns");
  EXPECT_EQ(record.key, identity::KeyOf(ann).value());
  mesh::bus::v1::Turn turn;
  ASSERT_TRUE(turn.ParseFromString(record.value));
  EXPECT_EQ(turn.kind(), mesh::bus::v1::TURN_KIND_FORGET);
  EXPECT_EQ(turn.turn_id().size(), 32u) << "workers take it for an event";
  EXPECT_EQ(turn.conversation().user(), "ann");
  EXPECT_EQ(bus::FindHeader(record.headers, "ce_type"), "mesh.bus.v1.Turn");
}

}  // namespace
}  // namespace meshctl
