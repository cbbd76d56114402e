#include "libs/graph/token_facts.h"

#include <gtest/gtest.h>

#include "tests/libs/graph/scripted_graph.h"

namespace graph {
namespace {

TEST(TokenFactsTest, ReadsValidityAppAndBothExpiries) {
  const auto facts = ReadTokenFacts(R"({"data":{"app_id":"42","type":"PAGE","is_valid":true,)"
                                    R"("expires_at":1800000000,"data_access_expires_at":1700000000}})");
  ASSERT_TRUE(facts);
  EXPECT_TRUE(facts->is_valid);
  EXPECT_EQ(facts->app_id, "42");
  EXPECT_EQ(facts->expires_at_s, 1'800'000'000);
  EXPECT_EQ(facts->data_access_expires_at_s, 1'700'000'000);
}

TEST(TokenFactsTest, NeverIsZeroAndAnythingElseIsNoAnswer) {
  const auto forever = ReadTokenFacts(R"({"data":{"app_id":42,"is_valid":"true","expires_at":0}})");
  ASSERT_TRUE(forever);
  EXPECT_EQ(forever->app_id, "42");
  EXPECT_EQ(forever->expires_at_s, 0);
  for (const char* body : {"", "[]", "{}", R"({"data":{}})", R"({"data":[]})", R"({"is_valid":true})"}) {
    EXPECT_FALSE(ReadTokenFacts(body)) << body;
  }
}

TEST(TokenFactsTest, TheQuestionCarriesTheTokenEncodedAndInstagramLoginHasNone) {
  ScriptedGraph graph;
  graph.Answer("GET debug_token", 200, "{}");
  account::Account account = AccountOf(mesh::bus::v1::CHANNEL_INSTAGRAM);
  ASSERT_TRUE(AskForToken(account, graph.send())->ok);
  EXPECT_TRUE(graph.requests().at(0).url.ends_with("/debug_token?input_token=%45%41%41%26%74%6f%6b%65%6e"));
  EXPECT_EQ(graph.requests().at(0).headers.at(0).second, "Bearer EAA&token") << "it asks about itself";
  account.login = "instagram";
  EXPECT_FALSE(AskForToken(account, graph.send()));
}

TEST(TokenFactsTest, AnAppThatIsKnownAsksForItAndElseTheTokenItself) {
  account::Account account = AccountOf(mesh::bus::v1::CHANNEL_MESSENGER);
  account.app_id = "42";
  account.app_secrets = {crypto::Secret("s3cret"), crypto::Secret("older")};
  {
    ScriptedGraph graph;
    graph.Answer("GET debug_token", 200, R"({"data":{"is_valid":false}})");
    EXPECT_TRUE(AskForToken(account, graph.send())->ok);
    ASSERT_EQ(graph.requests().size(), 1u);
    EXPECT_EQ(graph.requests()[0].headers.at(0).second, "Bearer 42|s3cret");
  }
  {
    ScriptedGraph graph;
    graph.Refuse("GET debug_token", 100);  // a token of another app
    graph.Answer("GET debug_token", 200, R"({"data":{"is_valid":true}})");
    std::optional<Refusal> of_app;
    EXPECT_TRUE(AskForToken(account, graph.send(), &of_app)->ok) << "that says nothing of the token";
    EXPECT_EQ(graph.requests().back().headers.at(0).second, "Bearer EAA&token");
    EXPECT_FALSE(of_app) << "nor of the app's secret";
  }
  ScriptedGraph away;
  EXPECT_EQ(AskForToken(account, away.send())->refusal.trouble, Trouble::kUnreachable);
  EXPECT_EQ(away.requests().size(), 1u) << "who is away is asked once";
}

// The token was asked in place of the app, and nobody heard that Meta does not know the secret.
TEST(TokenFactsTest, AnAppThatMetaDoesNotKnowIsToldAndTheTokenAskedAllTheSame) {
  account::Account account = AccountOf(mesh::bus::v1::CHANNEL_MESSENGER);
  account.app_id = "42";
  account.app_secrets = {crypto::Secret("s3cret"), crypto::Secret("older")};
  for (const int code : {190, 101}) {
    ScriptedGraph graph;
    graph.Refuse("GET debug_token", code);
    graph.Refuse("GET debug_token", code);
    graph.Answer("GET debug_token", 200, R"({"data":{"is_valid":true}})");
    std::optional<Refusal> of_app;
    EXPECT_TRUE(AskForToken(account, graph.send(), &of_app)->ok) << "that says nothing of the token: " << code;
    EXPECT_EQ(graph.requests().back().headers.at(0).second, "Bearer EAA&token");
    ASSERT_TRUE(of_app) << code;
    EXPECT_NE(of_app->found.find(code == 101 ? "app_id 42" : "does not know this app secret"), std::string::npos)
        << of_app->found;
    EXPECT_NE(of_app->found.find(std::to_string(code)), std::string::npos) << of_app->found;
    EXPECT_FALSE(of_app->advice.empty());
  }
  ScriptedGraph rotation;
  rotation.Refuse("GET debug_token", 190);
  rotation.Answer("GET debug_token", 200, R"({"data":{"is_valid":true}})");
  std::optional<Refusal> of_app;
  EXPECT_TRUE(AskForToken(account, rotation.send(), &of_app)->ok);
  EXPECT_EQ(rotation.requests().back().headers.at(0).second, "Bearer 42|older");
  EXPECT_FALSE(of_app) << "while a secret is changed one of the two is enough";
}

TEST(TokenFactsTest, PermissionsStandInEitherListAndMayNameTheirTargets) {
  const auto facts = ReadTokenFacts(
      R"({"data":{"is_valid":true,"scopes":["pages_messaging","email"],"granular_scopes":[
          {"scope":"pages_messaging","target_ids":["1065",7]},{"scope":"instagram_basic"}]}})");
  ASSERT_TRUE(facts && facts->grants);
  ASSERT_NE(facts->Find("pages_messaging"), nullptr);
  EXPECT_EQ(facts->Find("pages_messaging")->targets, (std::vector<std::string>{"1065", "7"}));
  ASSERT_NE(facts->Find("email"), nullptr);
  EXPECT_TRUE(facts->Find("email")->targets.empty());
  EXPECT_NE(facts->Find("instagram_basic"), nullptr);
  EXPECT_EQ(facts->Find("instagram_manage_messages"), nullptr);
}

TEST(TokenFactsTest, NoPermissionsAreNotTheSameAsNothingSaidOfThem) {
  EXPECT_TRUE(ReadTokenFacts(R"({"data":{"is_valid":true,"scopes":[]}})")->grants);
  const auto unsaid = ReadTokenFacts(R"({"data":{"is_valid":true,"scopes":"email","granular_scopes":{}}})");
  EXPECT_FALSE(unsaid->grants);
  EXPECT_EQ(unsaid->Find("email"), nullptr);
  const auto odd = ReadTokenFacts(
      R"({"data":{"is_valid":true,"scopes":[1,null],
                  "granular_scopes":[7,{"scope":3},{"scope":"a","target_ids":"b"}]}})");
  ASSERT_TRUE(odd->grants);
  EXPECT_EQ(odd->grants->size(), 1u);
  EXPECT_TRUE(odd->Find("a")->targets.empty());
}

}  // namespace
}  // namespace graph
