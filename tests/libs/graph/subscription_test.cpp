#include "libs/graph/subscription.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/libs/graph/scripted_graph.h"

namespace graph {
namespace {

using mesh::bus::v1::CHANNEL_INSTAGRAM;
using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::CHANNEL_WHATSAPP;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(SubscriptionTest, TheNodeIsWhoseWebhooksTheyAre) {
  account::Account number = AccountOf(CHANNEL_WHATSAPP);
  EXPECT_EQ(SubscriptionNode(number), "") << "a number does not know its business account";
  number.waba_id = "900";
  EXPECT_EQ(SubscriptionNode(number), "900");
  EXPECT_EQ(SubscriptionNode(number, "901"), "901");
  EXPECT_EQ(SubscriptionNode(AccountOf(CHANNEL_MESSENGER)), "1065");
  account::Account instagram = AccountOf(CHANNEL_INSTAGRAM);
  EXPECT_EQ(SubscriptionNode(instagram), "1065");
  instagram.graph_base_url = "https://graph.facebook.com";
  EXPECT_EQ(SubscriptionNode(instagram), "me") << "by its page, whose token it has";
}

TEST(SubscriptionTest, OurAppIsFoundAmongOthers) {
  const std::string body =
      R"({"data":[{"whatsapp_business_api_data":{"id":"7"}},{"whatsapp_business_api_data":{"id":"42"}}]})";
  EXPECT_TRUE(ReadSubscription(CHANNEL_WHATSAPP, "42", body).is_whole());
  EXPECT_FALSE(ReadSubscription(CHANNEL_WHATSAPP, "43", body).is_whole()) << "another's app brings us nothing";
  EXPECT_TRUE(ReadSubscription(CHANNEL_WHATSAPP, "", body).is_whole()) << "our id is not known";
  EXPECT_FALSE(ReadSubscription(CHANNEL_WHATSAPP, "", R"({"data":[]})").is_whole());
}

TEST(SubscriptionTest, APageNeedsItsRequiredFields) {
  const Subscription whole = ReadSubscription(
      CHANNEL_MESSENGER, "42",
      R"({"data":[{"id":42,"subscribed_fields":["messages",{"name":"messaging_postbacks","version":"v25.0"},"feed"]}]})");
  EXPECT_TRUE(whole.is_whole());
  EXPECT_THAT(whole.fields, ElementsAre("messages", "messaging_postbacks", "feed"));
  const Subscription half =
      ReadSubscription(CHANNEL_INSTAGRAM, "", R"({"data":[{"id":"42","subscribed_fields":["messages"]}]})");
  EXPECT_TRUE(half.has_app);
  EXPECT_EQ(half.missing_field, "messaging_postbacks");
}

TEST(SubscriptionTest, OddBodiesAreNoSubscription) {
  for (const char* body : {"", "[]", "{}", R"({"data":{}})", R"({"data":"x"})"}) {
    EXPECT_FALSE(ReadSubscription(CHANNEL_MESSENGER, "42", body).has_app) << body;
  }
  const Subscription odd = ReadSubscription(
      CHANNEL_MESSENGER, "", R"({"data":[{"subscribed_fields":["messages&access_token=x",7,null,"",{"name":3}]}]})");
  EXPECT_TRUE(odd.fields.empty()) << "names go into a path";
}

TEST(SubscriptionTest, SubscribingAsksForTheTableAndKeepsWhatIsThere) {
  ScriptedGraph graph;
  graph.Answer("POST 1065/subscribed_apps", 200, R"({"success":true})");
  EXPECT_TRUE(Subscribe(AccountOf(CHANNEL_MESSENGER), "1065", {"feed", "messages"}, graph.send()).ok);
  const std::string url = graph.requests().at(0).url;
  for (const WebhookField& field : WebhookFields(CHANNEL_MESSENGER))
    EXPECT_THAT(url, HasSubstr(std::string(field.name)));
  EXPECT_TRUE(url.ends_with(",feed")) << "once each: " << url;

  account::Account number = AccountOf(CHANNEL_WHATSAPP);
  graph.Answer("POST 900/subscribed_apps", 200, R"({"success":true})");
  EXPECT_TRUE(Subscribe(number, "900", {}, graph.send()).ok);
  EXPECT_TRUE(graph.requests().back().url.ends_with("/900/subscribed_apps")) << "a WABA's fields are the app's";
}

TEST(SubscriptionTest, AFieldThatTheAppMayNotHaveCostsTheOptionalOnes) {
  ScriptedGraph graph;
  graph.Refuse("POST 1065/subscribed_apps", 100);
  graph.Answer("POST 1065/subscribed_apps", 200, R"({"success":true})");
  EXPECT_TRUE(Subscribe(AccountOf(CHANNEL_INSTAGRAM), "1065", {}, graph.send()).ok);
  EXPECT_TRUE(graph.requests().back().url.ends_with("?subscribed_fields=messages,messaging_postbacks"));
  graph.Forget("POST 1065/subscribed_apps");
  graph.Refuse("POST 1065/subscribed_apps", 190);
  EXPECT_EQ(Subscribe(AccountOf(CHANNEL_INSTAGRAM), "1065", {}, graph.send()).refusal.trouble, Trouble::kToken);
  EXPECT_EQ(graph.requests().size(), 3u) << "a dead token is not asked twice";
}

}  // namespace
}  // namespace graph
