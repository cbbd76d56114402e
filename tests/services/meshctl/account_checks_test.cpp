#include "services/meshctl/account_checks.h"

#include <gtest/gtest.h>

#include <map>

#include "libs/channel/codec.h"

namespace meshctl {
namespace {

using mesh::bus::v1::CHANNEL_INSTAGRAM;
using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::CHANNEL_WHATSAPP;
using Verdict = Finding::Verdict;

constexpr char kSecret[] = "0123456789abcdef0123456789abcdef";

account::Account AccountOf(mesh::bus::v1::Channel channel) {
  account::Account account;
  account.tenant = "acme";
  account.channel = channel;
  account.account_id = "106540352242922";
  account.app_secrets = {crypto::Secret(kSecret)};
  account.verify_token = crypto::Secret("a long & random token");
  account.access_token = crypto::Secret("EAAtoken");
  account.graph_base_url = "https://graph.example";
  return account;
}

// Gateway and Graph API as answers by method and path; the checks' requests are kept.
class AccountChecksTest : public ::testing::Test {
 protected:
  AccountChecksTest() {
    for (const char* channel : {"whatsapp", "messenger", "instagram"}) {
      const std::string path = std::string("http://gateway/webhooks/") + channel;
      Answer("GET " + path, 200, "1158201444");
      Answer("POST " + path, 200, "");
    }
    Answer("GET https://graph.example/v25.0/106540352242922", 200, R"({"id":"106540352242922"})");
    Answer("GET https://graph.example/v25.0/106540352242922/subscribed_apps", 200,
           R"({"data":[{"id":"1","subscribed_fields":["messages","messaging_postbacks","feed"]}]})");
    Answer("GET https://graph.example/v25.0/102290129340398/subscribed_apps", 200,
           R"({"data":[{"whatsapp_business_api_data":{"id":"1"}}]})");
  }

  void Answer(const std::string& request, int status, std::string body) {
    http::ClientResult result;
    result.ok = true;
    result.response.status = status;
    result.response.body = std::move(body);
    answers_[request] = std::move(result);
  }

  void Break(const std::string& request) {
    http::ClientResult result;
    result.failure.status = absl::UnavailableError("connection refused");
    answers_[request] = std::move(result);
  }

  std::map<std::string, Finding> Check(const account::Account& account, std::string waba = "") {
    requests_.clear();
    std::map<std::string, Finding> findings;
    const auto send = [this](http::ClientRequest request) {
      requests_.push_back(request);
      const auto found = answers_.find(request.method + " " + request.url.substr(0, request.url.find('?')));
      EXPECT_NE(found, answers_.end()) << request.method << " " << request.url;
      return found->second;
    };
    for (Finding& finding : CheckAccount(account, {.gateway_url = "http://gateway", .waba = std::move(waba)}, send)) {
      findings[finding.check] = std::move(finding);
    }
    EXPECT_EQ(findings.size(), 5u);
    return findings;
  }

  std::map<std::string, http::ClientResult> answers_;
  std::vector<http::ClientRequest> requests_;
};

TEST_F(AccountChecksTest, HealthyAccountsOfEveryChannelAreGood) {
  for (const auto channel : {CHANNEL_WHATSAPP, CHANNEL_MESSENGER, CHANNEL_INSTAGRAM}) {
    for (const auto& [check, finding] : Check(AccountOf(channel), "102290129340398")) {
      EXPECT_EQ(finding.verdict, Verdict::kGood) << check << ": " << finding.found;
      EXPECT_EQ(finding.advice, "");
    }
  }
}

TEST_F(AccountChecksTest, AsksAsMetaDoes) {
  Check(AccountOf(CHANNEL_MESSENGER));
  ASSERT_EQ(requests_.size(), 4u);
  EXPECT_NE(requests_[0].url.find("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=%61%20"),
            std::string::npos)
      << requests_[0].url;
  EXPECT_EQ(requests_[1].body, R"({"object":"page","entry":[]})");
  EXPECT_EQ(requests_[1].headers[1].second, channel::SignatureFor(requests_[1].body, crypto::Secret(kSecret)));
  EXPECT_EQ(requests_[2].headers[0].second, "Bearer EAAtoken");
}

TEST_F(AccountChecksTest, SecretsOfTheWrongShapeAreTold) {
  account::Account account = AccountOf(CHANNEL_WHATSAPP);
  account.app_secrets = {crypto::Secret("\"0123456789abcdef0123456789abcdef\"")};
  EXPECT_EQ(Check(account)["secrets"].verdict, Verdict::kWrong);
  account.development = true;
  EXPECT_EQ(Check(account)["secrets"].verdict, Verdict::kGood) << "what `make run` makes is no app's secret";
  account = AccountOf(CHANNEL_WHATSAPP);
  account.verify_token = crypto::Secret("short");
  EXPECT_EQ(Check(account)["secrets"].verdict, Verdict::kWrong);
  account = AccountOf(CHANNEL_WHATSAPP);
  account.access_token = crypto::Secret("");
  EXPECT_EQ(Check(account)["secrets"].verdict, Verdict::kWrong);
}

TEST_F(AccountChecksTest, GatewayThatIsAwayOrKnowsOtherSecretsIsTold) {
  Break("GET http://gateway/webhooks/whatsapp");
  Answer("POST http://gateway/webhooks/whatsapp", 403, "");
  auto findings = Check(AccountOf(CHANNEL_WHATSAPP));
  EXPECT_EQ(findings["handshake"].verdict, Verdict::kWrong);
  EXPECT_NE(findings["handshake"].advice.find("--gateway-url"), std::string::npos);
  EXPECT_NE(findings["signature"].advice.find("byte for byte"), std::string::npos);
  Answer("GET http://gateway/webhooks/whatsapp", 200, "<html>1158201444</html>");
  Answer("POST http://gateway/webhooks/whatsapp", 503, "");
  findings = Check(AccountOf(CHANNEL_WHATSAPP));
  EXPECT_EQ(findings["handshake"].verdict, Verdict::kWrong) << "a page around the challenge is no challenge";
  EXPECT_NE(findings["signature"].advice.find("/readyz"), std::string::npos);
}

TEST_F(AccountChecksTest, BothSecretsOfARotationAreTried) {
  account::Account account = AccountOf(CHANNEL_WHATSAPP);
  account.app_secrets.push_back(crypto::Secret("fedcba9876543210fedcba9876543210"));
  Check(account);
  EXPECT_EQ(
      std::count_if(requests_.begin(), requests_.end(), [](const auto& request) { return request.method == "POST"; }),
      2);
}

TEST_F(AccountChecksTest, GraphErrorsComeWithWhatToDo) {
  const std::string self = "GET https://graph.example/v25.0/106540352242922";
  const struct {
    int status;
    const char *body, *advice;
  } kCases[] = {
      {401, R"({"error":{"message":"Error validating access token","code":190,"error_subcode":463}})", "token is dead"},
      {403, R"({"error":{"message":"(#10) no permission","code":10}})", "permission"},
      {400, R"({"error":{"message":"Unsupported get request","code":100,"error_subcode":33}})", "phone number id"},
      {400, R"({"error":{"message":"(#4) limit","code":4}})", "later"},
      {404, "<html>not found</html>", "graph_base_url"},
      {200, R"({"id":"999"})", "999"},
  };
  for (const auto& test : kCases) {
    Answer(self, test.status, test.body);
    const Finding finding = Check(AccountOf(CHANNEL_MESSENGER))["token"];
    EXPECT_EQ(finding.verdict, Verdict::kWrong) << test.body;
    EXPECT_NE((finding.found + finding.advice).find(test.advice), std::string::npos)
        << finding.found << " / " << finding.advice;
  }
  Break(self);
  EXPECT_NE(Check(AccountOf(CHANNEL_MESSENGER))["token"].advice.find("reach"), std::string::npos);
}

TEST_F(AccountChecksTest, MissingSubscriptionsAreNamed) {
  EXPECT_EQ(Check(AccountOf(CHANNEL_WHATSAPP))["subscription"].verdict, Verdict::kNotChecked) << "no WABA is named";
  Answer("GET https://graph.example/v25.0/102290129340398/subscribed_apps", 200, R"({"data":[]})");
  EXPECT_NE(Check(AccountOf(CHANNEL_WHATSAPP), "102290129340398")["subscription"].advice.find(
                "POST /102290129340398/subscribed_apps"),
            std::string::npos);
  account::Account with_waba = AccountOf(CHANNEL_WHATSAPP);
  with_waba.waba_id = "102290129340398";
  EXPECT_EQ(Check(with_waba)["subscription"].verdict, Verdict::kWrong) << "the accounts file names it";
  Answer("GET https://graph.example/v25.0/106540352242922/subscribed_apps", 200,
         R"({"data":[{"id":"1","subscribed_fields":["messages"]}]})");
  EXPECT_NE(Check(AccountOf(CHANNEL_INSTAGRAM))["subscription"].found.find("messaging_postbacks"), std::string::npos);
}

TEST_F(AccountChecksTest, NoSecretIsEverPrinted) {
  Answer("GET https://graph.example/v25.0/106540352242922", 401, R"({"error":{"message":"bad","code":190}})");
  Answer("POST http://gateway/webhooks/whatsapp", 403, "");
  Answer("GET http://gateway/webhooks/whatsapp", 403, "");
  for (const auto& [check, finding] : Check(AccountOf(CHANNEL_WHATSAPP))) {
    for (const char* secret : {kSecret, "a long & random token", "EAAtoken"}) {
      EXPECT_EQ((finding.found + finding.advice).find(secret), std::string::npos) << check;
    }
  }
}

}  // namespace
}  // namespace meshctl
