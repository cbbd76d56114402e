#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "libs/base/str_cat.h"
#include "libs/channel/codec.h"
#include "libs/channel/internal/event_list.h"
#include "tests/libs/channel/webhook_files.h"

// What the golden lines do not show: the fields that `meshctl decode` leaves out, and the bounds.
namespace channel {
namespace {

using namespace mesh::bus::v1;  // NOLINT: the enumerators are long enough

std::vector<Event> Decode(Channel channel, std::string_view body) {
  absl::StatusOr<std::vector<Event>> events = FindCodec(channel)->Decode(body);
  EXPECT_TRUE(events.ok()) << events.status();
  return events.ok() ? *std::move(events) : std::vector<Event>(1);
}

Event Only(Channel channel, std::string_view name) {
  std::vector<Event> events = Decode(channel, WebhookBody(name));
  EXPECT_EQ(events.size(), 1u) << name;
  EXPECT_EQ(events[0].channel, channel);
  return events[0];
}

TEST(WhatsAppDecodeTest, QuotedMessageIsTheOneRepliedTo) {
  const Event event = Only(CHANNEL_WHATSAPP, "whatsapp/text_reply_context");
  EXPECT_EQ(event.type, "text");
  EXPECT_EQ(event.reply_to_message_id, "wamid.QUOTED");
  EXPECT_EQ(event.original, "");  // the text says it all
}

TEST(WhatsAppDecodeTest, OriginalIsKeptWhereTheTextDoesNotSayAll) {
  for (const char* name : {"text_referral_ctwa", "location", "interactive_list_reply", "order", "reaction",
                           "type_not_seen_before", "image_caption", "system_user_changed_number"}) {
    EXPECT_TRUE(Only(CHANNEL_WHATSAPP, std::string("whatsapp/") + name).original.starts_with("{")) << name;
  }
}

TEST(WhatsAppDecodeTest, ADigestIsKeptOnlyWhereItIsOne) {
  const auto digest_of = [](std::string_view text) {
    const std::vector<Event> events = Decode(
        CHANNEL_WHATSAPP,
        base::StrCat(R"({"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{)",
                     R"("metadata":{"phone_number_id":"1"},"messages":[{"from":"2","id":"m","type":"image","image":{)",
                     R"("id":"3","sha256":")", text, R"("}}]}}]}]})"));
    return events.at(0).attachments.at(0).sha256();
  };
  EXPECT_EQ(digest_of("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="), "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345");
  for (const char* other : {"", "x", "QUJD", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU"})
    EXPECT_EQ(digest_of(other), "");
}

TEST(WhatsAppDecodeTest, StatusesHaveStateReplyIdAndReason) {
  const Event with_id = Only(CHANNEL_WHATSAPP, "whatsapp/status_with_reply_id");
  EXPECT_EQ(with_id.state, DELIVERY_STATE_SENT);
  EXPECT_EQ(with_id.reply_id_hex.size(), 64u);

  const Event failed = Only(CHANNEL_WHATSAPP, "whatsapp/status_failed");
  EXPECT_EQ(failed.state, DELIVERY_STATE_FAILED);
  EXPECT_EQ(failed.error_code, 131047);
  EXPECT_EQ(failed.error_title, "Re-engagement message");

  const std::vector<Event> batch = Decode(CHANNEL_WHATSAPP, WebhookBody("whatsapp/status_batch"));
  ASSERT_EQ(batch.size(), 3u);
  EXPECT_EQ(batch[0].state, DELIVERY_STATE_DELIVERED);
  EXPECT_EQ(batch[1].state, DELIVERY_STATE_READ);
  EXPECT_EQ(batch[2].state, DELIVERY_STATE_READ);  // played
}

TEST(WhatsAppDecodeTest, EventsSayWhatTheyAreAbout) {
  EXPECT_EQ(Only(CHANNEL_WHATSAPP, "whatsapp/reaction").reply_to_message_id, "wamid.TARGET");
  EXPECT_EQ(Only(CHANNEL_WHATSAPP, "whatsapp/revoke").reply_to_message_id, "wamid.OLD");
  EXPECT_EQ(Only(CHANNEL_WHATSAPP, "whatsapp/type_not_seen_before").type, "hologram");
  EXPECT_EQ(Only(CHANNEL_WHATSAPP, "whatsapp/type_missing").type, "unknown");
  EXPECT_EQ(Only(CHANNEL_WHATSAPP, "whatsapp/calls").type, "calls");
  EXPECT_EQ(Only(CHANNEL_WHATSAPP, "whatsapp/value_errors").error_code, 130429);
}

TEST(WhatsAppDecodeTest, ErrorsNameTheirReason) {
  EXPECT_EQ(Only(CHANNEL_WHATSAPP, "whatsapp/message_without_account").error, "no_account");
  EXPECT_EQ(Decode(CHANNEL_WHATSAPP, WebhookBody("whatsapp/text_sender_unresolvable"))[0].error, "no_sender");
  const std::vector<Event> events = Decode(CHANNEL_WHATSAPP, WebhookBody("whatsapp/wrong_types_in_envelope"));
  EXPECT_EQ(events[0].error, "entry_not_an_object");
  EXPECT_EQ(events[1].error, "changes_not_a_list");
  EXPECT_EQ(events[2].error, "change_not_an_object");
  EXPECT_EQ(events[3].error, "value_not_an_object");
}

TEST(MessengerDecodeTest, EchoCarriesOurReplyIdOnly) {
  const Event ours = Only(CHANNEL_MESSENGER, "messenger/echo_metadata_is_our_reply_id");
  EXPECT_EQ(ours.state, DELIVERY_STATE_ECHO);
  EXPECT_EQ(ours.reply_id_hex.substr(0, 4), "cdcd");
  EXPECT_EQ(Only(CHANNEL_MESSENGER, "messenger/echo_of_inbox_agent").reply_id_hex, "");
}

TEST(MessengerDecodeTest, ReceiptsHaveStateAndWatermark) {
  const Event read = Only(CHANNEL_MESSENGER, "messenger/read_watermark");
  EXPECT_EQ(read.state, DELIVERY_STATE_READ);
  EXPECT_EQ(read.watermark_ms, 1502905970000);
  const std::vector<Event> delivered = Decode(CHANNEL_MESSENGER, WebhookBody("messenger/delivery_mids"));
  ASSERT_EQ(delivered.size(), 2u);
  EXPECT_EQ(delivered[1].state, DELIVERY_STATE_DELIVERED);
}

TEST(MessengerDecodeTest, EventsAboutAMessageDoNotTakeItsId) {
  for (const char* name : {"messenger/reaction", "messenger/message_edit", "messenger/message_deleted"}) {
    const Event event = Only(CHANNEL_MESSENGER, name);
    EXPECT_TRUE(event.message_id.starts_with("derived:")) << name;
    EXPECT_TRUE(event.reply_to_message_id.starts_with("m_AG5Hz2U")) << name;
  }
}

TEST(MessengerDecodeTest, WhatTheBusinessTookBackIsNoUnsendOfTheUser) {
  const Event event =
      Decode(CHANNEL_MESSENGER,
             R"({"object":"page","entry":[{"id":"1","messaging":[{"sender":{"id":"1"},"recipient":{"id":"2"},)"
             R"("message":{"mid":"m","is_echo":true,"is_deleted":true}}]}]})")
          .front();
  EXPECT_EQ(event.kind, EventKind::kEcho);
  EXPECT_EQ(event.unsent_message_id, "");
}

TEST(MessengerDecodeTest, TypesAreThePlatformsWords) {
  EXPECT_EQ(Only(CHANNEL_MESSENGER, "messenger/text").type, "text");
  EXPECT_EQ(Only(CHANNEL_MESSENGER, "messenger/quick_reply").type, "quick_reply");
  EXPECT_EQ(Only(CHANNEL_MESSENGER, "messenger/image").type, "image");
  EXPECT_EQ(Only(CHANNEL_MESSENGER, "messenger/policy_enforcement").type, "policy-enforcement");
  EXPECT_EQ(Only(CHANNEL_MESSENGER, "messenger/item_key_not_seen_before").type, "smell");
}

TEST(InstagramDecodeTest, SeenNamesTheMessage) {
  const Event seen = Only(CHANNEL_INSTAGRAM, "instagram/seen_by_mid");
  EXPECT_EQ(seen.state, DELIVERY_STATE_READ);
  EXPECT_EQ(seen.message_id, "ig_out_1");
  EXPECT_EQ(seen.watermark_ms, 0);
}

TEST(DecodeBoundsTest, BodiesAreBounded) {
  const Codec* codec = FindCodec(CHANNEL_MESSENGER);
  EXPECT_EQ(codec->Decode(std::string(kBodyBytesMax + 1, ' ')).status().message(), "too_large");

  std::string many = R"({"object":"page","entry":[{"id":"1","messaging":[)";
  for (std::size_t i = 0; i < kEventsMax; ++i) many += "0,";
  EXPECT_EQ(codec->Decode(many + "0]}]}").status().message(), "too_large");
  many.pop_back();
  EXPECT_EQ(codec->Decode(many + "]}]}")->size(), kEventsMax);
}

TEST(DecodeBoundsTest, FieldsAreBounded) {
  const auto message = [](std::string_view mid, std::string_view text) {
    return std::string(
               R"({"object":"page","entry":[{"id":"1","messaging":[{"sender":{"id":"2"},"recipient":{"id":"1"},)")
        .append(R"("message":{"mid":")")
        .append(mid)
        .append(R"(","text":")")
        .append(text)
        .append(R"("}}]}]})");
  };
  const std::string long_text(kOriginalBytesMax - 1, 'x');
  const Event cut = Decode(CHANNEL_MESSENGER, message("m1", long_text + "\u00e9")).front();
  EXPECT_EQ(cut.text, long_text);  // not half a character
  const Event derived = Decode(CHANNEL_MESSENGER, message(std::string(kIdBytesMax + 1, 'm'), "hi")).front();
  EXPECT_TRUE(derived.message_id.starts_with("derived:"));
}

TEST(DecodeBoundsTest, ThousandUpdatesInOneBodyKeepTheirOrder) {
  std::string body = R"({"object":"page","entry":[{"id":"1","messaging":[)";
  for (int i = 0; i < 1000; ++i) {
    body +=
        R"({"sender":{"id":"2"},"recipient":{"id":"1"},"message":{"mid":"m)" + std::to_string(i) + R"(","text":"t"}},)";
  }
  body.pop_back();
  const std::vector<Event> events = Decode(CHANNEL_MESSENGER, body + "]}]}");
  ASSERT_EQ(events.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(events[static_cast<std::size_t>(i)].message_id, base::StrCat("m", i));
}

}  // namespace
}  // namespace channel
