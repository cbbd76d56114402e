#include <gtest/gtest.h>

#include "libs/channel/codec.h"
#include "libs/channel/event_json.h"
#include "tests/libs/channel/webhook_files.h"

namespace channel {
namespace {

// Goal: every shape of webhook named in the channel documentation is understood as written down by hand.
// Method: each payload's line, as `meshctl decode` prints it, against the file beside it.
TEST(GoldenWebhooksTest, EachPayloadGivesTheExpectedEvents) {
  EXPECT_GE(WebhookFiles().size(), 150u);
  for (const WebhookFile& file : WebhookFiles()) {
    const absl::StatusOr<std::vector<Event>> events = FindCodec(file.channel)->Decode(file.body);
    EXPECT_EQ(DecodeLine(file.path, events), file.expected) << file.path;
    if (!events.ok()) continue;
    for (const Event& event : *events) EXPECT_EQ(event.channel, file.channel) << file.path;
  }
}

TEST(GoldenWebhooksTest, DecodingIsAFunctionOfTheBytes) {
  for (const WebhookFile& file : WebhookFiles()) {
    const Codec* codec = FindCodec(file.channel);
    EXPECT_EQ(DecodeLine("", codec->Decode(file.body)), DecodeLine("", codec->Decode(file.body))) << file.path;
  }
}

TEST(GoldenWebhooksTest, NoChannelTakesAnothersWebhook) {
  for (const WebhookFile& file : WebhookFiles()) {
    for (const auto channel :
         {mesh::bus::v1::CHANNEL_WHATSAPP, mesh::bus::v1::CHANNEL_MESSENGER, mesh::bus::v1::CHANNEL_INSTAGRAM}) {
      if (channel == file.channel || file.path.find("rejected_") != std::string::npos) continue;
      EXPECT_EQ(FindCodec(channel)->Decode(file.body).status().message(), "wrong_object") << file.path;
    }
  }
}

}  // namespace
}  // namespace channel
