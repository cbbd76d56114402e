#include "services/meshctl/rebuild.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/bus/headers.h"
#include "libs/identity/identity.h"
#include "libs/session/user_text.h"
#include "services/meshctl/operator_record.h"

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

mesh::bus::v1::ConversationId Ann() {
  mesh::bus::v1::ConversationId ann;
  ann.set_tenant("acme");
  ann.set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
  ann.set_account("1001");
  ann.set_user("ann");
  return ann;
}

mesh::bus::v1::Turn TurnOf(const bus::OutgoingRecord& record) {
  EXPECT_EQ(record.topic, "mesh.turns");
  EXPECT_EQ(record.key, identity::KeyOf(Ann()).value());
  EXPECT_EQ(bus::FindHeader(record.headers, "ce_type"), "mesh.bus.v1.Turn");
  mesh::bus::v1::Turn turn;
  EXPECT_TRUE(turn.ParseFromString(record.value));
  EXPECT_EQ(turn.turn_id().size(), 32u) << "workers take it";
  EXPECT_EQ(turn.conversation().user(), "ann");
  EXPECT_EQ(turn.accepted_at_ms(), 1234);
  return turn;
}

TEST(OperatorRecordTest, IsATurnOfItsConversation) {
  mesh::session::v1::GetSessionResponse history;
  mesh::bus::v1::Turn said;
  const auto remember = [&](const char* turn_id) {
    history.add_turns()->set_turn_id(turn_id);
    history.mutable_turns()->rbegin()->set_user_text(session::UserText(said));
  };
  said.set_text("words alone");
  remember("none");
  said.add_attachments()->set_type("image");
  remember("one");
  said.clear_text();
  remember("another");
  history.add_turns()->set_turn_id("unsent");
  const mesh::bus::v1::Turn forget = TurnOf(ForgetRecord(Ann(), history, {}, 1234));
  EXPECT_EQ(forget.kind(), mesh::bus::v1::TURN_KIND_FORGET);
  EXPECT_THAT(forget.forgotten_turn_ids(), testing::ElementsAre("one", "another", "unsent"))
      << "a worker deletes their files";
  for (const auto action : {mesh::bus::v1::CONTROL_ACTION_PAUSE, mesh::bus::v1::CONTROL_ACTION_RESUME,
                            mesh::bus::v1::CONTROL_ACTION_OPT_OUT, mesh::bus::v1::CONTROL_ACTION_OPT_IN}) {
    const mesh::bus::v1::Turn turn = TurnOf(ControlRecord(Ann(), action, {}, 1234));
    EXPECT_EQ(turn.kind(), mesh::bus::v1::TURN_KIND_CONTROL);
    EXPECT_EQ(turn.control(), action);
  }
}

TEST(OperatorRecordTest, EveryOrderIsARecordOfItsOwn) {
  const auto pause = TurnOf(ControlRecord(Ann(), mesh::bus::v1::CONTROL_ACTION_PAUSE, {}, 1234));
  const auto resume = TurnOf(ControlRecord(Ann(), mesh::bus::v1::CONTROL_ACTION_RESUME, {}, 1234));
  EXPECT_NE(pause.turn_id(), resume.turn_id());
}

}  // namespace
}  // namespace meshctl
