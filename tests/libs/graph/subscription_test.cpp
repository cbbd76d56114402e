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

account::Account InstagramLogin() {
  account::Account account = AccountOf(CHANNEL_INSTAGRAM);
  account.login = "instagram";
  return account;
}

account::Account InstagramByPage() {
  account::Account account = AccountOf(CHANNEL_INSTAGRAM);
  account.login = "facebook";
  return account;
}

TEST(SubscriptionTest, TheNodeIsWhoseWebhooksTheyAre) {
  account::Account number = AccountOf(CHANNEL_WHATSAPP);
  EXPECT_EQ(SubscriptionNode(number), "") << "a number does not know its business account";
  number.waba_id = "900";
  EXPECT_EQ(SubscriptionNode(number), "900");
  EXPECT_EQ(SubscriptionNode(number, "901"), "901");
  EXPECT_EQ(SubscriptionNode(AccountOf(CHANNEL_MESSENGER)), "1065");
  EXPECT_EQ(SubscriptionNode(InstagramLogin()), "1065");
  EXPECT_EQ(SubscriptionNode(InstagramByPage()), "me") << "the page, whose token it has";
}

TEST(SubscriptionTest, OurAppIsFoundAmongOthers) {
  const std::string body =
      R"({"data":[{"whatsapp_business_api_data":{"id":"7"}},{"whatsapp_business_api_data":{"id":"42"}}]})";
  EXPECT_TRUE(ReadSubscription(AccountOf(CHANNEL_WHATSAPP), "42", body).is_whole());
  EXPECT_FALSE(ReadSubscription(AccountOf(CHANNEL_WHATSAPP), "43", body).is_whole())
      << "another's app brings us nothing";
  EXPECT_TRUE(ReadSubscription(AccountOf(CHANNEL_WHATSAPP), "", body).is_whole()) << "our id is not known";
  EXPECT_FALSE(ReadSubscription(AccountOf(CHANNEL_WHATSAPP), "", R"({"data":[]})").is_whole());
  EXPECT_THAT(ReadSubscription(AccountOf(CHANNEL_WHATSAPP), "43", body).apps, ElementsAre("7", "42"));
}

TEST(SubscriptionTest, APageNeedsItsRequiredFields) {
  const Subscription whole = ReadSubscription(
      AccountOf(CHANNEL_MESSENGER), "42",
      R"({"data":[{"id":42,)"
      R"("subscribed_fields":["messages",{"name":"messaging_postbacks","version":"v25.0"},"feed"]}]})");
  EXPECT_TRUE(whole.is_whole());
  EXPECT_THAT(whole.fields, ElementsAre("messages", "messaging_postbacks", "feed"));
  const Subscription half =
      ReadSubscription(InstagramLogin(), "", R"({"data":[{"id":"42","subscribed_fields":["messages"]}]})");
  EXPECT_TRUE(half.has_app);
  EXPECT_EQ(half.missing_field, "messaging_postbacks");
}

TEST(SubscriptionTest, ThePageOfAnInstagramAccountNeedsAnyFieldOfItsOwn) {
  const auto read = [](const std::string& fields) {
    return ReadSubscription(InstagramByPage(), "42", R"({"data":[{"id":"42","subscribed_fields":[)" + fields + "]}]}");
  };
  EXPECT_TRUE(read(R"("feed")").is_whole()) << "Instagram's own are chosen for the app";
  EXPECT_TRUE(read(R"("messages")").is_whole());
  EXPECT_EQ(read("").missing_field, "feed");
  ScriptedGraph graph;
  graph.Answer("POST me/subscribed_apps", 200, R"({"success":true})");
  EXPECT_TRUE(Subscribe(InstagramByPage(), "me", {"name"}, graph.send()).ok);
  EXPECT_TRUE(graph.requests().back().url.ends_with("?subscribed_fields=feed,name"))
      << "none that wants pages_messaging: " << graph.requests().back().url;
}

TEST(SubscriptionTest, OurAppIsThatOfTheTokenElseThatOfTheAccountsFile) {
  account::Account page = AccountOf(CHANNEL_MESSENGER);
  EXPECT_EQ(OurApp(page, ""), "");
  page.app_id = "42";
  EXPECT_EQ(OurApp(page, ""), "42");
  EXPECT_EQ(OurApp(page, "7"), "7");
  account::Account login = InstagramLogin();
  login.app_id = "42";
  EXPECT_EQ(OurApp(login, ""), "") << "Instagram's list has ids of another kind";
}

TEST(SubscriptionTest, OddBodiesAreNoSubscription) {
  for (const char* body : {"", "[]", "{}", R"({"data":{}})", R"({"data":"x"})"}) {
    EXPECT_FALSE(ReadSubscription(AccountOf(CHANNEL_MESSENGER), "42", body).has_app) << body;
  }
  const Subscription odd =
      ReadSubscription(AccountOf(CHANNEL_MESSENGER), "",
                       R"({"data":[{"subscribed_fields":["messages&access_token=x",7,null,"",{"name":3}]}]})");
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
  for (const int code : {100, 200, 10}) {  // unknown to Meta; not permitted to the token
    ScriptedGraph graph;
    graph.Refuse("POST 1065/subscribed_apps", code);
    graph.Answer("POST 1065/subscribed_apps", 200, R"({"success":true})");
    EXPECT_TRUE(Subscribe(InstagramLogin(), "1065", {}, graph.send()).ok) << code;
    EXPECT_TRUE(graph.requests().back().url.ends_with("?subscribed_fields=messages,messaging_postbacks"));
  }
  ScriptedGraph graph;
  graph.Refuse("POST 900/subscribed_apps", 200);
  EXPECT_FALSE(Subscribe(AccountOf(CHANNEL_WHATSAPP), "900", {}, graph.send()).ok);
  EXPECT_EQ(graph.requests().size(), 1u) << "a WABA's names none that could be left out";
  graph.Forget("POST 1065/subscribed_apps");
  graph.Refuse("POST 1065/subscribed_apps", 190);
  EXPECT_EQ(Subscribe(InstagramLogin(), "1065", {}, graph.send()).refusal.trouble, Trouble::kToken);
  EXPECT_EQ(graph.requests().size(), 2u) << "a dead token is not asked twice";
}

}  // namespace
}  // namespace graph
