#include "loadtest/fake_channel_api/feedback_body.h"

#include <gtest/gtest.h>

#include "libs/channel/codec.h"

// The webhooks made here are read by the codecs: two sides written apart.
namespace fake_channel_api {
namespace {

using channel::EventKind;

std::vector<channel::Event> Tell(mesh::bus::v1::Channel channel) {
  const Send send{.ts_ms = 1700000000123,
                  .channel = channel,
                  .account = "100",
                  .user = "16505551234",
                  .message_id = "id-1",
                  .text = "Paris",
                  .reply_id = std::string(64, 'a')};
  std::vector<channel::Event> events;
  for (const std::string& body : FeedbackBodies(send)) {
    const auto decoded = channel::FindCodec(channel)->Decode(body);
    EXPECT_TRUE(decoded.ok()) << decoded.status() << body;
    if (decoded.ok()) events.insert(events.end(), decoded->begin(), decoded->end());
  }
  for (const channel::Event& event : events) {
    EXPECT_EQ(event.account, "100");
    EXPECT_EQ(event.user, "16505551234");
    EXPECT_EQ(event.message_id, "id-1");
  }
  return events;
}

TEST(FeedbackBodyTest, WhatsAppTellsSentThenDelivered) {
  const auto events = Tell(mesh::bus::v1::CHANNEL_WHATSAPP);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].state, mesh::bus::v1::DELIVERY_STATE_SENT);
  EXPECT_EQ(events[1].state, mesh::bus::v1::DELIVERY_STATE_DELIVERED);
  EXPECT_EQ(events[0].reply_id_hex, std::string(64, 'a'));
}

TEST(FeedbackBodyTest, MessengerTellsEchoThenDelivery) {
  const auto events = Tell(mesh::bus::v1::CHANNEL_MESSENGER);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].kind, EventKind::kEcho);
  EXPECT_EQ(events[0].text, "Paris");
  EXPECT_EQ(events[0].reply_id_hex, std::string(64, 'a'));
  EXPECT_EQ(events[1].state, mesh::bus::v1::DELIVERY_STATE_DELIVERED);
}

TEST(FeedbackBodyTest, InstagramTellsEchoWithoutReplyIdThenSeen) {
  const auto events = Tell(mesh::bus::v1::CHANNEL_INSTAGRAM);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].kind, EventKind::kEcho);
  EXPECT_EQ(events[0].reply_id_hex, "");
  EXPECT_EQ(events[1].state, mesh::bus::v1::DELIVERY_STATE_READ);
}

}  // namespace
}  // namespace fake_channel_api
