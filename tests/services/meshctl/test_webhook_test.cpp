#include "services/meshctl/test_webhook.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "libs/channel/codec.h"

namespace meshctl {
namespace {

TEST(TestWebhookTest, IsUnderstoodOnEachChannelAndPureAscii) {
  const std::string text = "Gr\u00fc\u00dfe \U0001F44B a/b \"quoted\"\n\\u";
  for (const auto channel :
       {mesh::bus::v1::CHANNEL_WHATSAPP, mesh::bus::v1::CHANNEL_MESSENGER, mesh::bus::v1::CHANNEL_INSTAGRAM}) {
    const std::string body = TextWebhook(
        channel,
        {.account = "100", .user = "16505551234", .message_id = "id-1", .text = text, .now_ms = 1700000000000});
    EXPECT_TRUE(std::ranges::all_of(body, [](char c) { return c >= 0x20 && c < 0x7F; })) << body;
    EXPECT_EQ(body.find("a/b"), std::string::npos);  // Meta escapes slashes
    const auto events = channel::FindCodec(channel)->Decode(body);
    ASSERT_TRUE(events.ok()) << events.status();
    ASSERT_EQ(events->size(), 1u);
    EXPECT_EQ(events->front().kind, channel::EventKind::kMessage);
    EXPECT_EQ(events->front().account, "100");
    EXPECT_EQ(events->front().user, "16505551234");
    EXPECT_EQ(events->front().message_id, "id-1");
    EXPECT_EQ(events->front().text, text);
    EXPECT_EQ(events->front().timestamp_ms, 1700000000000);
  }
}

TEST(TestWebhookTest, IdsAreNew) {
  EXPECT_NE(NewMessageId(mesh::bus::v1::CHANNEL_WHATSAPP), NewMessageId(mesh::bus::v1::CHANNEL_WHATSAPP));
  EXPECT_NE(NewUserId(mesh::bus::v1::CHANNEL_MESSENGER), NewUserId(mesh::bus::v1::CHANNEL_MESSENGER));
}

}  // namespace
}  // namespace meshctl
