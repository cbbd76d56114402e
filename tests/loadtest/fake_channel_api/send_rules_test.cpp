#include "loadtest/fake_channel_api/send_rules.h"

#include <gtest/gtest.h>

#include <string>

#include "libs/base/str_cat.h"

namespace fake_channel_api {
namespace {

using mesh::bus::v1::CHANNEL_INSTAGRAM;
using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::CHANNEL_WHATSAPP;

std::string WhatsAppText(std::string_view text, std::string_view more = "") {
  return base::StrCat(R"({"messaging_product":"whatsapp","to":"16505551234","type":"text","text":{"body":")", text,
                      "\"}", more, "}");
}
std::string MessagingText(std::string_view text, std::string_view more = "") {
  return base::StrCat(R"({"recipient":{"id":"1254"},"message":{"text":")", text, "\"", more, "}}");
}

std::int32_t CodeOf(std::string_view body, mesh::bus::v1::Channel channel) {
  const auto checked = CheckBody(body, channel);
  const GraphError* error = std::get_if<GraphError>(&checked);
  return error == nullptr ? 0 : error->code;
}

std::string ActionOf(std::string_view body, mesh::bus::v1::Channel channel) {
  const auto checked = CheckBody(body, channel);
  const Action* action = std::get_if<Action>(&checked);
  return action == nullptr ? "" : base::StrCat(action->action, " ", action->user, action->message_id);
}

TEST(SendRulesTest, AValidSendIsReadWhole) {
  const auto checked = CheckBody(
      WhatsAppText("hi", R"(,"context":{"message_id":"wamid.Q"},"biz_opaque_callback_data":"abc")"), CHANNEL_WHATSAPP);
  const Send& send = std::get<Send>(checked);
  EXPECT_EQ(send.user, "16505551234");
  EXPECT_EQ(send.text, "hi");
  EXPECT_EQ(send.in_reply_to, "wamid.Q");
  EXPECT_EQ(send.reply_id, "abc");
  const auto messenger = CheckBody(MessagingText("hi", R"(,"metadata":"abc")"), CHANNEL_MESSENGER);
  EXPECT_EQ(std::get<Send>(messenger).reply_id, "abc");
}

TEST(SendRulesTest, RecipientMayBeABusinessScopedIdAndToWins) {
  const auto by_id =
      CheckBody(R"({"messaging_product":"whatsapp","recipient":"US.1","text":{"body":"x"}})", CHANNEL_WHATSAPP);
  EXPECT_EQ(std::get<Send>(by_id).user, "US.1");
  const auto both =
      CheckBody(R"({"messaging_product":"whatsapp","to":"16505551234","recipient":"US.1","text":{"body":"x"}})",
                CHANNEL_WHATSAPP);
  EXPECT_EQ(std::get<Send>(both).user, "16505551234");
}

TEST(SendRulesTest, ButtonsAndListsHaveLimits) {
  const auto interactive = [](std::string_view type, std::string_view action) {
    return CodeOf(
        base::StrCat(R"({"messaging_product":"whatsapp","to":"16505551234","type":"interactive",)",
                     R"("interactive":{"type":")", type, R"(","body":{"text":"x"},"action":{)", action, "}}}"),
        CHANNEL_WHATSAPP);
  };
  // `count` items, each `before`, its number, `between`, its number, `after`.
  const auto repeat = [](std::string_view before, std::string_view between, std::string_view after, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += base::StrCat(i > 0 ? "," : "", before, i, between, i, after);
    return text;
  };
  const auto buttons = [&](int count) {
    return base::StrCat(R"("buttons":[)",
                        repeat(R"({"type":"reply","reply":{"id":")", R"(","title":"no. )", R"("}})", count), "]");
  };
  EXPECT_EQ(interactive("button", buttons(3)), 0);
  EXPECT_EQ(interactive("button", buttons(4)), 131009);
  EXPECT_EQ(interactive("button", R"("buttons":[])"), 131009);
  EXPECT_EQ(interactive("button", R"("buttons":[{"reply":{"id":"1","title":"twenty-one characters"}}])"), 131009);
  EXPECT_EQ(interactive("button", R"("buttons":[{"reply":{"id":"1","title":"x"}},{"reply":{"id":"2","title":"x"}}])"),
            131009);
  EXPECT_EQ(interactive("button", R"("buttons":[{"reply":{"id":"1","title":"x"}},{"reply":{"id":"1","title":"y"}}])"),
            131009);
  const auto list = [&](int count) {
    return base::StrCat(R"("button":"Open","sections":[{"rows":[)",
                        repeat(R"({"id":")", R"(","title":"no. )", R"("})", count), "]}]");
  };
  EXPECT_EQ(interactive("list", list(10)), 0);
  EXPECT_EQ(interactive("list", list(11)), 131009);
  EXPECT_EQ(interactive("list", R"("button":"Open","sections":[])"), 131009);
  EXPECT_EQ(interactive("list", R"("sections":[{"rows":[{"id":"1","title":"x"}]}])"), 131009) << "without its button";
  EXPECT_EQ(interactive("cta_url", R"("name":"cta_url")"), 0);
}

TEST(SendRulesTest, TextLimitsAreTheChannels) {
  const std::string two_bytes = "\u00e9";
  const auto repeat = [&](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += two_bytes;
    return text;
  };
  EXPECT_EQ(CodeOf(WhatsAppText(repeat(4096)), CHANNEL_WHATSAPP), 0);
  EXPECT_EQ(CodeOf(WhatsAppText(repeat(4097)), CHANNEL_WHATSAPP), 100);
  EXPECT_EQ(CodeOf(MessagingText(repeat(2000)), CHANNEL_MESSENGER), 0);
  EXPECT_EQ(CodeOf(MessagingText(repeat(2001)), CHANNEL_MESSENGER), 100);
  EXPECT_EQ(CodeOf(MessagingText(repeat(500)), CHANNEL_INSTAGRAM), 0);
  EXPECT_EQ(CodeOf(MessagingText(repeat(501)), CHANNEL_INSTAGRAM), 100);
}

TEST(SendRulesTest, MissingAndWrongFieldsAreRefused) {
  for (const char* body :
       {"", "[]", "{}", R"({"messaging_product":"sms","to":"16505551234","text":{"body":"x"}})",
        R"({"messaging_product":"whatsapp","text":{"body":"x"}})",
        R"({"messaging_product":"whatsapp","to":16505551234,"text":{"body":"x"}})",
        R"({"messaging_product":"whatsapp","to":"16505551234","text":{"body":""}})",
        R"({"messaging_product":"whatsapp","to":"16505551234","text":"x"})",
        R"({"messaging_product":"whatsapp","to":"16505551234","type":"fax","fax":{}})",
        R"({"messaging_product":"whatsapp","to":"16505551234","type":"image"})",
        R"({"messaging_product":"whatsapp","to":"16505551234","recipient_type":"group","text":{"body":"x"}})",
        R"({"messaging_product":"whatsapp","to":"16505551234","context":{},"text":{"body":"x"}})"}) {
    EXPECT_EQ(CodeOf(body, CHANNEL_WHATSAPP), 100) << body;
  }
  EXPECT_EQ(CodeOf(R"({"messaging_product":"whatsapp","to":"nobody","text":{"body":"x"}})", CHANNEL_WHATSAPP), 131009);
  for (const char* body :
       {"{}", R"({"message":{"text":"x"}})", R"({"recipient":{"id":"1"}})", R"({"recipient":{"id":"1"},"message":{}})",
        R"({"recipient":{"id":"1"},"messaging_type":"SPAM","message":{"text":"x"}})",
        R"({"recipient":{"id":"1"},"messaging_type":"MESSAGE_TAG","message":{"text":"x"}})",
        R"({"recipient":{"id":"1"},"message":{"text":"x","metadata":5}})",
        R"({"recipient":{"id":"1"},"sender_action":"dance"})"}) {
    EXPECT_EQ(CodeOf(body, CHANNEL_MESSENGER), 100) << body;
  }
}

TEST(SendRulesTest, FilesReactionsAndTemplatesHaveRulesToo) {
  const auto whatsapp = [](std::string_view type, std::string_view content) {
    return CodeOf(base::StrCat(R"({"messaging_product":"whatsapp","to":"16505551234","type":")", type, R"(",")", type,
                               "\":{", content, "}}"),
                  CHANNEL_WHATSAPP);
  };
  EXPECT_EQ(whatsapp("image", R"("link":"https://a.example/b.png","caption":"x")"), 0);
  EXPECT_EQ(whatsapp("image", R"("id":"147")"), 0);
  EXPECT_EQ(whatsapp("image", ""), 100);
  EXPECT_EQ(whatsapp("image", R"("id":"147","link":"https://a.example/b.png")"), 100);
  EXPECT_EQ(whatsapp("image", R"("link":"b.png")"), 131009);
  EXPECT_EQ(whatsapp("audio", R"("id":"147","caption":"x")"), 100);
  EXPECT_EQ(whatsapp("image", base::StrCat(R"("id":"147","caption":")", std::string(1025, 'x'), "\"")), 131009);
  EXPECT_EQ(whatsapp("reaction", R"("message_id":"wamid.1","emoji":"")"), 0);
  EXPECT_EQ(whatsapp("reaction", R"("emoji":"x")"), 100);
  EXPECT_EQ(whatsapp("reaction", R"("message_id":"wamid.1","emoji":"x")"), 131009);
  EXPECT_EQ(whatsapp("reaction", "\"message_id\":\"wamid.1\",\"emoji\":\"\u2026\""), 131009);
  EXPECT_EQ(whatsapp("template", R"("name":"come_back","language":{"code":"en_US"})"), 0);
  EXPECT_EQ(whatsapp("template", R"("name":"come_back")"), 100);
  const auto messenger = [](std::string_view message) {
    return CodeOf(base::StrCat(R"({"recipient":{"id":"1"},"message":{)", message, "}}"), CHANNEL_MESSENGER);
  };
  EXPECT_EQ(messenger(R"("attachment":{"type":"file","payload":{"url":"https://a.example/b.pdf"}})"), 0);
  EXPECT_EQ(messenger(R"("attachment":{"type":"file","payload":{}})"), 100);
  EXPECT_EQ(messenger(R"("attachment":{"type":"hologram","payload":{"attachment_id":"1"}})"), 100);
  EXPECT_EQ(messenger(R"("text":"x","quick_replies":[{"content_type":"text","title":"y","payload":"1"}])"), 0);
  EXPECT_EQ(messenger(R"("text":"x","quick_replies":[{"content_type":"text","title":"y"}])"), 100);
  EXPECT_EQ(messenger(R"("text":"x","quick_replies":[])"), 100);
}

TEST(SendRulesTest, WhatIsMoreThanTextIsKeptAsItWasSent) {
  const auto picture = CheckBody(
      R"({"messaging_product":"whatsapp","to":"16505551234","type":"image","image":{"id":"147"}})", CHANNEL_WHATSAPP);
  EXPECT_EQ(std::get<Send>(picture).kind, "image");
  EXPECT_EQ(std::get<Send>(picture).content, R"({"id":"147"})");
  EXPECT_NE(ToJsonLine(std::get<Send>(picture)).find(R"("kind":"image","content":{"id":"147"})"), std::string::npos);
  const auto words = CheckBody(WhatsAppText("hi"), CHANNEL_WHATSAPP);
  EXPECT_EQ(ToJsonLine(std::get<Send>(words)).find("kind"), std::string::npos);
}

TEST(SendRulesTest, ActionsShowNothing) {
  const std::string read = R"({"messaging_product":"whatsapp","status":"read","message_id":"wamid.1")";
  EXPECT_EQ(ActionOf(read + "}", CHANNEL_WHATSAPP), "read wamid.1");
  EXPECT_EQ(ActionOf(read + R"(,"typing_indicator":{"type":"text"}})", CHANNEL_WHATSAPP), "typing wamid.1");
  EXPECT_EQ(ActionOf(R"({"recipient":{"id":"1"},"sender_action":"typing_on"})", CHANNEL_INSTAGRAM), "typing_on 1");
  EXPECT_EQ(ActionOf(R"({"recipient":{"id":"1"},"sender_action":"mark_seen"})", CHANNEL_MESSENGER), "mark_seen 1");
}

TEST(SendRulesTest, ActionsAreCheckedToo) {
  const auto read = [](std::string_view fields) {
    return CodeOf(base::StrCat(R"({"messaging_product":"whatsapp","status":"read")", fields, "}"), CHANNEL_WHATSAPP);
  };
  EXPECT_EQ(read(""), 100);
  EXPECT_EQ(read(R"(,"message_id":"derived:00")"), 131009) << "no message of the platform's";
  EXPECT_EQ(read(R"(,"message_id":"wamid.1","typing_indicator":{"type":"voice"})"), 100);
  EXPECT_EQ(CodeOf(R"({"recipient":{"id":"1"},"sender_action":"typing_on","message":{"text":"x"}})", CHANNEL_MESSENGER),
            100);
}

}  // namespace
}  // namespace fake_channel_api
