#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "libs/base/str_cat.h"
#include "libs/channel/codec.h"
#include "libs/channel/internal/event_list.h"
#include "tests/libs/channel/webhook_files.h"

// What the golden lines do not show: originals, digests, and the bounds.
namespace channel {
namespace {

using namespace mesh::bus::v1;  // NOLINT: the enumerators are long enough

std::vector<Event> Decode(Channel channel, std::string_view body) {
  absl::StatusOr<std::vector<Event>> events = FindCodec(channel)->Decode(body);
  EXPECT_TRUE(events.ok()) << events.status();
  return events.ok() ? *std::move(events) : std::vector<Event>(1);
}

TEST(WhatsAppDecodeTest, AnOriginalIsTheWholeItem) {
  const auto original_of = [](std::string_view name) {
    return Decode(CHANNEL_WHATSAPP, WebhookBody(name)).front().original;
  };
  EXPECT_EQ(original_of("whatsapp/status_word_not_seen_before").find(R"({"id":"wamid.OUT1","status":"teleported",)"),
            0u);
  EXPECT_NE(original_of("whatsapp/text_referral_ctwa").find(R"("ctwa_clid":"Aff-n8ZTODiE79d22KtAwQKj9e")"),
            std::string::npos);
  EXPECT_NE(original_of("whatsapp/text_about_product").find(R"("product_retailer_id":"di9ozbzfi4")"),
            std::string::npos);
  EXPECT_NE(original_of("whatsapp/text_forwarded").find(R"("context":{"forwarded":true})"), std::string::npos);
}

TEST(WhatsAppDecodeTest, TheUsersOwnWordsAreKeptWhereTheTextSaysMore) {
  const std::vector<Event> about = Decode(CHANNEL_WHATSAPP, WebhookBody("whatsapp/text_about_product"));
  EXPECT_EQ(about.at(0).own_words, "Is this available?");
  EXPECT_NE(about.at(0).text, "Is this available?");
  EXPECT_EQ(about.at(1).own_words, "") << "a picture without a caption";
  EXPECT_EQ(Decode(CHANNEL_WHATSAPP, WebhookBody("whatsapp/interactive_nfm_reply")).front().own_words, "") << "a form";
  for (const char* name : {"whatsapp/text", "whatsapp/text_reply_context", "whatsapp/order"}) {
    EXPECT_EQ(Decode(CHANNEL_WHATSAPP, WebhookBody(name)).front().own_words, std::nullopt) << name;
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

TEST(MessengerDecodeTest, WhatTheBusinessTookBackIsNoUnsendOfTheUser) {
  const Event event =
      Decode(CHANNEL_MESSENGER,
             R"({"object":"page","entry":[{"id":"1","messaging":[{"sender":{"id":"1"},"recipient":{"id":"2"},)"
             R"("message":{"mid":"m","is_echo":true,"is_deleted":true}}]}]})")
          .front();
  EXPECT_EQ(event.kind, EventKind::kEcho);
  EXPECT_EQ(event.unsent_message_id, "");
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
