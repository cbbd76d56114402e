#include "libs/graph/question.h"

#include <gtest/gtest.h>

#include "libs/base/clock.h"
#include "tests/libs/graph/scripted_graph.h"

namespace graph {
namespace {

using mesh::bus::v1::CHANNEL_WHATSAPP;

TEST(QuestionTest, TheTokenLeavesAsAHeaderWithADeadlineAndABound) {
  ScriptedGraph graph;
  graph.Answer("GET 1065", 200, R"({"id":"1065"})");
  const Answer answer = Ask(AccountOf(CHANNEL_WHATSAPP), "GET", "1065?fields=id", graph.send());
  ASSERT_TRUE(answer.ok);
  EXPECT_EQ(answer.body, R"({"id":"1065"})");
  const http::ClientRequest& request = graph.requests().at(0);
  EXPECT_EQ(request.url, "https://graph.example/v25.0/1065?fields=id");
  EXPECT_EQ(request.headers.at(0).second, "Bearer EAA&token");
  EXPECT_EQ(request.response_bytes_max, kAnswerBytesMax);
  EXPECT_GT(request.deadline, base::Clock::Real().Now());
  EXPECT_LT(request.deadline, base::Clock::Real().Now() + std::chrono::seconds(11));
}

TEST(QuestionTest, EveryRefusalHasItsTroubleAndSaysWhatToDo) {
  const struct {
    int status;
    std::string body;
    Trouble trouble;
    const char* advice;
  } kCases[] = {
      {401, R"({"error":{"message":"expired","code":190,"error_subcode":463}})", Trouble::kToken, "dead"},
      {400, R"({"error":{"message":"no token","code":0}})", Trouble::kToken, "dead"},
      {400, R"({"error":{"message":"gone","code":"460"}})", Trouble::kToken, "dead"},
      {403, R"({"error":{"message":"(#10) no","code":10}})", Trouble::kPermission, "permission"},
      {403, R"({"error":{"message":"(#200) no","code":200}})", Trouble::kPermission, "permission"},
      {400, R"({"error":{"message":"no such","code":100,"error_subcode":33}})", Trouble::kUnknownId, "phone number id"},
      {400, R"({"error":{"message":"(#4) limit","code":4}})", Trouble::kLimited, "later"},
      {400, R"({"error":{"message":"calls","code":80007}})", Trouble::kLimited, "later"},
      {400, R"({"error":{"message":"(#131005) denied","code":131005}})", Trouble::kPermission, "permission"},
      {400, R"({"error":{"message":"rate","code":130429}})", Trouble::kLimited, "later"},
      {429, "slow down", Trouble::kLimited, "later"},
      {500, R"({"error":{"message":"oops","code":2}})", Trouble::kOther, "graph_base_url"},
      {404, "<html>not found</html>", Trouble::kOther, "graph_base_url"},
      {302, "", Trouble::kOther, "graph_base_url"},
  };
  for (const auto& test : kCases) {
    ScriptedGraph graph;
    graph.Answer("GET 1065", test.status, test.body);
    const Answer answer = Ask(AccountOf(CHANNEL_WHATSAPP), "GET", "1065", graph.send());
    EXPECT_FALSE(answer.ok) << test.body;
    EXPECT_EQ(answer.refusal.trouble, test.trouble) << test.body;
    EXPECT_NE(answer.refusal.advice.find(test.advice), std::string::npos) << answer.refusal.advice;
    EXPECT_NE(answer.refusal.found.find(std::to_string(test.status)), std::string::npos) << answer.refusal.found;
    EXPECT_EQ(answer.refusal.found.find("EAA"), std::string::npos) << "no secret is ever printed";
  }
}

TEST(QuestionTest, AMissingPermissionIsNamedByTheAccountsChannelAndLogin) {
  account::Account login = AccountOf(mesh::bus::v1::CHANNEL_INSTAGRAM), by_page = login;
  login.login = "instagram";
  by_page.login = "facebook";
  const struct {
    account::Account account;
    const char* permission;
  } kCases[] = {{AccountOf(CHANNEL_WHATSAPP), "whatsapp_business_messaging"},
                {AccountOf(mesh::bus::v1::CHANNEL_MESSENGER), "pages_messaging"},
                {login, "instagram_business_manage_messages"},
                {by_page, "instagram_manage_messages"}};
  for (const auto& test : kCases) {
    ScriptedGraph graph;
    graph.Refuse("GET 1065", 10);
    const std::string advice = Ask(test.account, "GET", "1065", graph.send()).refusal.advice;
    EXPECT_NE(advice.find(test.permission), std::string::npos) << advice;
  }
}

TEST(QuestionTest, NoAnswerIsATroubleOfItsOwn) {
  ScriptedGraph graph;
  const Answer answer = Ask(AccountOf(CHANNEL_WHATSAPP), "GET", "1065", graph.send());
  EXPECT_EQ(answer.refusal.trouble, Trouble::kUnreachable);
  EXPECT_NE(answer.refusal.found.find("connection refused"), std::string::npos);
}

TEST(QuestionTest, MetasWordsAreCut) {
  ScriptedGraph graph;
  graph.Answer("GET 1065", 400, R"({"error":{"code":1,"message":")" + std::string(60'000, 'x') + R"("}})");
  EXPECT_LT(Ask(AccountOf(CHANNEL_WHATSAPP), "GET", "1065", graph.send()).refusal.found.size(), 300u);
}

// Meta repeats a token that it cannot read: "Malformed access token EAA...".
TEST(QuestionTest, SecretsInMetasWordsAreNotRepeated) {
  account::Account account = AccountOf(CHANNEL_WHATSAPP);
  account.app_secrets = {crypto::Secret("0123456789abcdef"), crypto::Secret("fedcba9876543210")};
  const auto found_for = [&account](std::string_view token, const std::string& message) {
    ScriptedGraph graph;
    graph.Answer("GET 1065", 400, R"({"error":{"code":190,"message":")" + message + R"("}})");
    return AskAs(token, account, "GET", "1065", graph.send()).refusal.found;
  };
  const std::string before = "the Graph API answers 400, code 190: ";
  EXPECT_EQ(found_for("EAA&token", "Malformed access token EAA&token"), before + "Malformed access token ***");
  EXPECT_EQ(found_for("42|0123456789abcdef", "42|0123456789abcdef, 42|0123456789abcdef"), before + "***, ***");
  EXPECT_EQ(found_for("42|0123456789abcdef", "input EAA&token"), before + "input ***");
  EXPECT_EQ(found_for("EAA&token", "proofs 0123456789abcdef and fedcba9876543210"), before + "proofs *** and ***");
  EXPECT_EQ(found_for("EAAother\n", "Malformed access token EAAother"), before + "Malformed access token ***");
  EXPECT_EQ(found_for("", "An access token is required"), before + "An access token is required");
  const std::string long_words(195, 'x');
  EXPECT_EQ(found_for("EAA&token", long_words + "EAA&token"), before + long_words + "***") << "cut after that";
}

TEST(QuestionTest, TroublesHaveNames) {
  EXPECT_EQ(ToString(Trouble::kUnreachable), "unreachable");
  EXPECT_EQ(ToString(Trouble::kOther), "other");
}

}  // namespace
}  // namespace graph
