#include "libs/graph/token_facts.h"

#include <gtest/gtest.h>

#include "tests/libs/graph/scripted_graph.h"

namespace graph {
namespace {

TEST(TokenFactsTest, ReadsValidityAppAndBothExpiries) {
  const auto facts = ReadTokenFacts(
      R"({"data":{"app_id":"42","type":"PAGE","is_valid":true,"expires_at":1800000000,"data_access_expires_at":1700000000}})");
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
  account::Account account = AccountOf(mesh::bus::v1::CHANNEL_INSTAGRAM);
  EXPECT_EQ(TokenQuestion(account), "debug_token?input_token=%45%41%41%26%74%6f%6b%65%6e");
  account.login = "instagram";
  EXPECT_FALSE(TokenQuestion(account));
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
