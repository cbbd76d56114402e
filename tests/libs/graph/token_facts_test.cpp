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
  account.graph_base_url = "https://graph.instagram.com";
  EXPECT_FALSE(TokenQuestion(account));
}

}  // namespace
}  // namespace graph
