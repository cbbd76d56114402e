#include "libs/graph/account_facts.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/libs/graph/scripted_graph.h"

namespace graph {
namespace {

AccountFacts ReadNumber(std::string_view body) {
  return ReadAccountFacts(AccountOf(mesh::bus::v1::CHANNEL_WHATSAPP), body);
}

account::Account InstagramLogin() {
  account::Account account = AccountOf(mesh::bus::v1::CHANNEL_INSTAGRAM);
  account.login = "instagram";
  return account;
}

TEST(AccountFactsTest, ReadsWhatANumberSays) {
  const AccountFacts facts =
      ReadNumber(R"({"id":"1065","quality_rating":"RED","status":"RESTRICTED","messaging_limit_tier":"TIER_1K"})");
  EXPECT_EQ(facts.id, "1065");
  EXPECT_EQ(facts.quality, Quality::kRed);
  EXPECT_EQ(facts.state, NumberState::kRestricted);
  EXPECT_EQ(facts.messaging_limit_users, 1000);
}

TEST(AccountFactsTest, LimitsAreTiersNumbersOrUnlimited) {
  const auto limit = [](const std::string& value) {
    return ReadNumber(R"({"id":"1","whatsapp_business_manager_messaging_limit":)" + value + "}").messaging_limit_users;
  };
  EXPECT_EQ(limit(R"("TIER_250")"), 250);
  EXPECT_EQ(limit(R"("TIER_2K")"), 2000);
  EXPECT_EQ(limit(R"("TIER_100K")"), 100'000);
  EXPECT_EQ(limit("2000"), 2000);
  EXPECT_TRUE(std::isinf(limit(R"("TIER_UNLIMITED")").value()));
  for (const char* unsaid : {R"("TIER_NOT_SET")", R"("")", "null", "{}", R"("TIER_-1")", R"("K")"}) {
    EXPECT_EQ(limit(unsaid), std::nullopt) << unsaid;
  }
}

TEST(AccountFactsTest, WordsNotSeenBeforeAreUnknownAndWhatIsAbsentWasNotSaid) {
  const AccountFacts odd = ReadNumber(R"({"id":7,"quality_rating":"BLUE","status":"NAPPING"})");
  EXPECT_EQ(odd.id, "7");
  EXPECT_EQ(odd.quality, Quality::kUnknown);
  EXPECT_EQ(odd.state, NumberState::kUnknown);
  for (const char* body : {"", "[]", "{}", "<html>", R"({"quality_rating":3})"}) {
    const AccountFacts none = ReadNumber(body);
    EXPECT_EQ(none.id, "") << body;
    EXPECT_EQ(none.quality, std::nullopt) << body;
  }
}

TEST(AccountFactsTest, QuestionsGetNarrowerAndAllAskForTheId) {
  const account::Account number = AccountOf(mesh::bus::v1::CHANNEL_WHATSAPP);
  ASSERT_GT(AccountQuestions(number), 1u);
  std::size_t shorter_than = 1000;
  for (std::size_t i = 0; i < AccountQuestions(number); ++i) {
    const std::string question = AccountQuestion(number, i);
    EXPECT_TRUE(question.starts_with("1065?fields=id")) << question;
    EXPECT_LT(question.size(), shorter_than);
    shorter_than = question.size();
  }
  const account::Account page = AccountOf(mesh::bus::v1::CHANNEL_MESSENGER);
  EXPECT_EQ(AccountQuestions(page), 1u);
  EXPECT_EQ(AccountQuestion(page, 0), "1065?fields=id");
}

// `id` is there one of the app's own; the account would look like another one.
TEST(AccountFactsTest, InstagramLoginIsKnownByItsUserIdAlone) {
  const account::Account login = InstagramLogin();
  EXPECT_EQ(AccountQuestions(login), 1u);
  EXPECT_EQ(AccountQuestion(login, 0), "me?fields=user_id");
  EXPECT_EQ(ReadAccountFacts(login, R"({"user_id":"1065","id":"26001"})").id, "1065");
  EXPECT_EQ(ReadAccountFacts(login, R"({"user_id":1065,"id":"26001"})").id, "1065");
  EXPECT_EQ(ReadAccountFacts(login, R"({"data":[{"user_id":"1065"}]})").id, "1065");
  for (const char* without : {R"({"id":"26001"})", R"({"data":[]})", R"({"data":{}})", "[]", ""}) {
    EXPECT_EQ(ReadAccountFacts(login, without).id, "") << without;
  }
  account::Account by_page = AccountOf(mesh::bus::v1::CHANNEL_INSTAGRAM);
  by_page.login = "facebook";
  EXPECT_EQ(AccountQuestion(by_page, 0), "1065?fields=id") << "me is there the page";
  EXPECT_EQ(ReadAccountFacts(by_page, R"({"id":"1065"})").id, "1065");
}

TEST(AccountFactsTest, WhatIsRefusedForItsFieldsIsAskedForLess) {
  ScriptedGraph graph;
  graph.Refuse("GET 1065", 100);
  graph.Answer("GET 1065", 200, R"({"id":"1065"})");
  std::size_t question = 0;
  EXPECT_TRUE(AskForAccount(AccountOf(mesh::bus::v1::CHANNEL_WHATSAPP), graph.send(), &question).ok);
  EXPECT_EQ(question, 1u) << "asked first from now on";
  graph.Forget("GET 1065");
  graph.Refuse("GET 1065", 100, 33);
  EXPECT_FALSE(AskForAccount(AccountOf(mesh::bus::v1::CHANNEL_WHATSAPP), graph.send(), &question).ok);
  EXPECT_EQ(question, 0u) << "it was the id";
  const std::size_t asked = graph.requests().size();
  graph.Forget("GET 1065");
  graph.Refuse("GET 1065", 190);
  EXPECT_FALSE(AskForAccount(AccountOf(mesh::bus::v1::CHANNEL_WHATSAPP), graph.send(), &question).ok);
  EXPECT_EQ(graph.requests().size(), asked + 1) << "a dead token is not asked twice";
}

}  // namespace
}  // namespace graph
