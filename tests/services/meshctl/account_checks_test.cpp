#include "services/meshctl/account_checks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "libs/channel/codec.h"
#include "tests/fakes/fake_clock.h"

namespace meshctl {
namespace {

using mesh::bus::v1::CHANNEL_INSTAGRAM;
using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::CHANNEL_WHATSAPP;
using Verdict = Finding::Verdict;

constexpr std::int64_t kNowS = 1'700'000'000;
constexpr std::int64_t kDayS = 86'400;
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

account::Account InstagramLogin() {
  account::Account account = AccountOf(CHANNEL_INSTAGRAM);
  account.login = "instagram";
  account.access_token_written_s = kNowS - 10 * kDayS;
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
    Answer("GET https://graph.example/v25.0/106540352242922", 200,
           R"({"id":"106540352242922","quality_rating":"GREEN","status":"CONNECTED"})");
    Answer("GET https://graph.example/v25.0/me", 200, R"({"user_id":"106540352242922","id":"26001"})");
    DebugToken("");
    for (const char* node : {"106540352242922", "me"}) {
      Answer(std::string("GET https://graph.example/v25.0/") + node + "/subscribed_apps", 200,
             R"({"data":[{"id":"1","subscribed_fields":["messages","messaging_postbacks","feed"]}]})");
    }
    Answer("GET https://graph.example/v25.0/102290129340398/subscribed_apps", 200,
           R"({"data":[{"whatsapp_business_api_data":{"id":"1"}}]})");
  }

  // What Meta says of a token that may do everything, less `without`, with `more` in place of what follows.
  void DebugToken(const std::string& without, const std::string& more = R"(,"expires_at":0)") {
    std::string scopes;
    for (const std::string scope : {"whatsapp_business_messaging", "whatsapp_business_management", "pages_messaging",
                                    "pages_manage_metadata", "instagram_basic", "instagram_manage_messages"}) {
      if (scope != without) scopes += (scopes.empty() ? "\"" : ",\"") + scope + "\"";
    }
    Answer("GET https://graph.example/v25.0/debug_token", 200,
           R"({"data":{"app_id":"1","is_valid":true,"scopes":[)" + scopes + "]" + more + "}}");
  }

  void Answer(const std::string& request, int status, std::string body) {
    http::ClientResult result;
    result.ok = true;
    result.response.status = status;
    result.response.body = std::move(body);
    answers_[request] = std::move(result);
  }

  void Break(const std::string& request, http::FailureKind kind = http::FailureKind::kConnect) {
    http::ClientResult result;
    result.failure = {.status = absl::UnavailableError("the client's words"), .kind = kind};
    answers_[request] = std::move(result);
  }

  std::map<std::string, Finding> Check(const account::Account& account, std::string waba = "") {
    requests_.clear();
    std::map<std::string, Finding> findings;
    const auto send = [this](http::ClientRequest request) {
      requests_.push_back(request);
      const auto found = answers_.find(request.method + " " + request.url.substr(0, request.url.find('?')));
      EXPECT_NE(found, answers_.end()) << request.method << " " << request.url;
      const bool is_of_app = !request.headers.empty() && request.headers[0].second.find('|') != std::string::npos;
      if (is_of_app && !app_refusal_.empty()) {
        http::ClientResult refused;
        refused.ok = true;
        refused.response.status = 400;
        refused.response.body = app_refusal_;
        return refused;
      }
      return found->second;
    };
    for (Finding& finding :
         CheckAccount(account, {.gateway_url = gateway_url_, .waba = std::move(waba), .clock = &clock_}, send)) {
      findings[finding.check] = std::move(finding);
    }
    EXPECT_EQ(findings.size(), account.channel == CHANNEL_WHATSAPP ? 8u : 7u);
    return findings;
  }

  fakes::FakeClock clock_{kNowS * 1000};

  std::map<std::string, http::ClientResult> answers_;
  std::string gateway_url_ = "http://gateway";
  std::string app_refusal_;  // what our app itself is answered; empty: as the token is
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
  ASSERT_EQ(requests_.size(), 5u);
  EXPECT_NE(requests_[0].url.find("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=%61%20"),
            std::string::npos)
      << requests_[0].url;
  EXPECT_EQ(requests_[1].body, R"({"object":"page","entry":[]})");
  EXPECT_EQ(requests_[1].headers[1].second, channel::SignatureFor(requests_[1].body, crypto::Secret(kSecret)));
  EXPECT_EQ(requests_[2].headers[0].second, "Bearer EAAtoken");
  EXPECT_EQ(requests_[2].url, "https://graph.example/v25.0/106540352242922?fields=id");
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

TEST_F(AccountChecksTest, AnAccessTokenThatLooksLikeNoneIsTold) {
  const struct {
    const char *token, *found;
  } kCases[] = {{"Bearer EAAtoken", "Bearer"}, {"\"EAAtoken\"", "quotes"},   {"'EAAtoken'", "quotes"},
                {"42|s3cret", "app's token"},  {"EAAto ken", "white space"}, {"EAAto\nken", "white space"},
                {"IGAAtoken", "Instagram"}};
  for (const auto& test : kCases) {
    account::Account account = AccountOf(CHANNEL_WHATSAPP);
    account.access_token = crypto::Secret(test.token);
    const Finding finding = Check(account)["secrets"];
    EXPECT_EQ(finding.verdict, Verdict::kWrong) << test.token;
    EXPECT_NE(finding.found.find(test.found), std::string::npos) << finding.found;
    account.development = true;
    EXPECT_EQ(Check(account)["secrets"].verdict, Verdict::kGood) << "of a development account anything goes";
  }
  account::Account login = InstagramLogin();
  login.access_token = crypto::Secret("IGAAtoken");
  EXPECT_EQ(Check(login)["secrets"].verdict, Verdict::kGood);
  login.login = "facebook";
  EXPECT_NE(Check(login)["secrets"].found.find("login: instagram"), std::string::npos);
}

// The gateway knows the same wrong secret, and the token may ask about itself: all was fine.
TEST_F(AccountChecksTest, AnAppSecretThatMetaRefusesIsWrong) {
  account::Account account = AccountOf(CHANNEL_MESSENGER);
  account.app_id = "1";
  app_refusal_ = R"({"error":{"message":"Invalid OAuth access token signature.","code":190}})";
  auto findings = Check(account);
  EXPECT_EQ(findings["secrets"].verdict, Verdict::kWrong);
  EXPECT_NE(findings["secrets"].found.find("Meta does not know this app secret"), std::string::npos)
      << findings["secrets"].found;
  EXPECT_NE(findings["secrets"].advice.find("Settings > Basic"), std::string::npos) << findings["secrets"].advice;
  EXPECT_EQ(findings["permissions"].verdict, Verdict::kGood) << "the token tells of itself";
  Answer("GET https://graph.example/v25.0/106540352242922", 401,
         R"({"error":{"message":"Error validating access token","code":190}})");
  EXPECT_EQ(Check(account)["secrets"].verdict, Verdict::kWrong) << "whatever the token is worth";
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

// A gateway cannot be started against a name that does not exist or a certificate that nobody trusts.
TEST_F(AccountChecksTest, WhatKeepsTheGatewayFromAnsweringIsToldApart) {
  using http::FailureKind;
  const std::pair<FailureKind, std::string_view> kCases[] = {
      {FailureKind::kConnect, "start the gateway"},
      {FailureKind::kOther, "start the gateway"},
      {FailureKind::kResolve, "DNS"},
      {FailureKind::kTls, "does TLS end"},
      {FailureKind::kCertificate, "public authority"},
      {FailureKind::kStalled, "firewall"},
      {FailureKind::kBroken, "firewall"},
      {FailureKind::kDeadline, "firewall"},
  };
  for (const auto& [kind, advice] : kCases) {
    Break("GET http://gateway/webhooks/whatsapp", kind);
    Break("POST http://gateway/webhooks/whatsapp", kind);
    auto findings = Check(AccountOf(CHANNEL_WHATSAPP));
    for (const char* check : {"handshake", "signature"}) {
      EXPECT_EQ(findings[check].verdict, Verdict::kWrong);
      EXPECT_NE(findings[check].found.find("the client's words"), std::string::npos) << findings[check].found;
      EXPECT_NE(findings[check].advice.find(advice), std::string::npos) << findings[check].advice;
      EXPECT_EQ(findings[check].advice.find("start the gateway") != std::string::npos, advice == "start the gateway");
    }
  }
}

TEST_F(AccountChecksTest, AGatewayUrlMayEndInASlash) {
  gateway_url_ = "http://gateway/";
  EXPECT_EQ(Check(AccountOf(CHANNEL_WHATSAPP))["handshake"].verdict, Verdict::kGood);
}

// Three checks said "not checked: write app_id", and the token was dead.
TEST_F(AccountChecksTest, WhatADeadTokenKeepsFromBeingCheckedIsPutDownToIt) {
  Answer("GET https://graph.example/v25.0/106540352242922", 401, R"({"error":{"message":"ended","code":190}})");
  auto findings = Check(AccountOf(CHANNEL_WHATSAPP), "102290129340398");
  EXPECT_EQ(findings["token"].verdict, Verdict::kWrong);
  for (const char* check : {"permissions", "expiry", "number", "subscription"}) {
    EXPECT_EQ(findings[check].verdict, Verdict::kNotChecked) << check;
    EXPECT_NE(findings[check].found.find("token is dead"), std::string::npos) << findings[check].found;
    EXPECT_EQ(findings[check].advice.find("app_id"), std::string::npos) << findings[check].advice;
  }
}

TEST_F(AccountChecksTest, AWabaThatIsNoneIsNotBlamedOnTheAccountId) {
  account::Account account = AccountOf(CHANNEL_WHATSAPP);
  account.waba_id = "123";
  Answer("GET https://graph.example/v25.0/123/subscribed_apps", 400,
         R"({"error":{"message":"Unsupported get request","code":100,"error_subcode":33}})");
  const Finding finding = Check(account)["subscription"];
  EXPECT_EQ(finding.verdict, Verdict::kWrong);
  EXPECT_NE(finding.advice.find("waba_id=123"), std::string::npos) << finding.advice;
  EXPECT_EQ(finding.advice.find("account_id"), std::string::npos) << finding.advice;
  EXPECT_NE(Check(AccountOf(CHANNEL_WHATSAPP), "123")["subscription"].advice.find("--waba=123"), std::string::npos);
}

TEST_F(AccountChecksTest, ATokenOfTheOtherLoginIsAskedAfterTheLogin) {
  const char* refused = R"({"error":{"message":"Cannot parse access token","code":190}})";
  Answer("GET https://graph.example/v25.0/me", 400, refused);
  Answer("GET https://graph.example/v25.0/106540352242922", 400, refused);
  const std::string by_itself = Check(InstagramLogin())["token"].advice;
  EXPECT_NE(by_itself.find("login: facebook"), std::string::npos) << by_itself;
  const std::string by_page = Check(AccountOf(CHANNEL_INSTAGRAM))["token"].advice;
  EXPECT_NE(by_page.find("login: instagram"), std::string::npos) << by_page;
  EXPECT_EQ(Check(AccountOf(CHANNEL_MESSENGER))["token"].advice.find("login"), std::string::npos);
}

// Nothing refreshes a token that has ended.
TEST_F(AccountChecksTest, AnInstagramTokenThatHasEndedWantsAnotherLogin) {
  account::Account account = InstagramLogin();
  account.access_token_written_s = kNowS - 60 * kDayS;
  EXPECT_EQ(Check(account)["expiry"].verdict, Verdict::kWarning) << "the file's age is wrong: Meta knows the token";
  Answer("GET https://graph.example/v25.0/me", 400, R"({"error":{"message":"ended","code":190}})");
  const Finding ended = Check(account)["expiry"];
  EXPECT_EQ(ended.verdict, Verdict::kWrong);
  EXPECT_NE(ended.advice.find("log in again"), std::string::npos) << ended.advice;
  EXPECT_EQ(ended.advice.find("refresh"), std::string::npos) << ended.advice;
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

// What such a token may not ask Meta refuses; answers are sent all the same.
TEST_F(AccountChecksTest, ATokenThatLacksWhatAnswersDoNotNeedIsNotWrong) {
  const std::string refused = R"({"error":{"message":"(#200) Requires a permission","code":200}})";
  const auto has_wrong = [](const std::map<std::string, Finding>& findings) {
    return std::ranges::any_of(findings, [](const auto& entry) { return entry.second.verdict == Verdict::kWrong; });
  };
  const std::string self = "GET https://graph.example/v25.0/106540352242922";
  DebugToken("pages_manage_metadata");
  Answer(self + "/subscribed_apps", 403, refused);
  auto findings = Check(AccountOf(CHANNEL_MESSENGER));
  EXPECT_FALSE(has_wrong(findings));
  EXPECT_EQ(findings["permissions"].verdict, Verdict::kWarning);
  EXPECT_EQ(findings["subscription"].verdict, Verdict::kNotChecked);
  EXPECT_NE(findings["subscription"].found.find("(#200)"), std::string::npos) << findings["subscription"].found;
  EXPECT_NE(findings["subscription"].advice.find("pages_manage_metadata"), std::string::npos);

  DebugToken("whatsapp_business_management");
  Answer(self, 403, refused);
  Answer("GET https://graph.example/v25.0/102290129340398/subscribed_apps", 403, refused);
  findings = Check(AccountOf(CHANNEL_WHATSAPP), "102290129340398");
  EXPECT_FALSE(has_wrong(findings));
  EXPECT_EQ(findings["token"].verdict, Verdict::kWarning);
  EXPECT_NE(findings["token"].found.find("whatsapp_business_management"), std::string::npos) << findings["token"].found;
  EXPECT_EQ(findings["subscription"].verdict, Verdict::kNotChecked);

  DebugToken("whatsapp_business_messaging");
  EXPECT_EQ(Check(AccountOf(CHANNEL_WHATSAPP))["token"].verdict, Verdict::kWrong) << "answers are refused, too";
  DebugToken("whatsapp_business_management",
             R"(,"granular_scopes":[{"scope":"whatsapp_business_messaging","target_ids":["777"]}])");
  EXPECT_EQ(Check(AccountOf(CHANNEL_WHATSAPP), "102290129340398")["token"].verdict, Verdict::kWrong)
      << "answers of another account";
  DebugToken("");
  EXPECT_EQ(Check(AccountOf(CHANNEL_WHATSAPP))["token"].verdict, Verdict::kWrong) << "nothing explains the refusal";
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
  EXPECT_NE(Check(InstagramLogin())["subscription"].found.find("messaging_postbacks"), std::string::npos);
}

// The id of graph.instagram.com is one of the app's own: a healthy account read as another one.
TEST_F(AccountChecksTest, AHealthyAccountOfInstagramLoginIsGood) {
  auto findings = Check(InstagramLogin());
  EXPECT_EQ(findings["token"].verdict, Verdict::kGood) << findings["token"].found;
  EXPECT_EQ(findings["expiry"].verdict, Verdict::kGood) << findings["expiry"].found;
  EXPECT_EQ(findings["subscription"].verdict, Verdict::kGood) << findings["subscription"].found;
  EXPECT_EQ(findings["permissions"].verdict, Verdict::kNotChecked) << "nobody tells them";
  EXPECT_NE(findings["permissions"].advice.find("instagram_business_manage_messages"), std::string::npos);
  EXPECT_EQ(requests_[2].url, "https://graph.example/v25.0/me?fields=user_id");
  for (const http::ClientRequest& request : requests_) {
    EXPECT_EQ(request.url.find("debug_token"), std::string::npos) << "graph.instagram.com has none";
  }
  Answer("GET https://graph.example/v25.0/me", 200, R"({"user_id":"999","id":"106540352242922"})");
  EXPECT_NE(Check(InstagramLogin())["token"].found.find("'999'"), std::string::npos) << "that is the id to write down";
}

TEST_F(AccountChecksTest, ATokenWithoutAPermissionIsToldWithWhatToDo) {
  const struct {
    mesh::bus::v1::Channel channel;
    const char* permission;
    Verdict verdict;
  } kCases[] = {
      {CHANNEL_WHATSAPP, "whatsapp_business_messaging", Verdict::kWrong},
      {CHANNEL_WHATSAPP, "whatsapp_business_management", Verdict::kWarning},
      {CHANNEL_MESSENGER, "pages_messaging", Verdict::kWrong},
      {CHANNEL_MESSENGER, "pages_manage_metadata", Verdict::kWarning},
      {CHANNEL_INSTAGRAM, "instagram_manage_messages", Verdict::kWrong},
      {CHANNEL_INSTAGRAM, "instagram_basic", Verdict::kWrong},
      {CHANNEL_INSTAGRAM, "pages_manage_metadata", Verdict::kWarning},
      {CHANNEL_INSTAGRAM, "pages_messaging", Verdict::kGood},
  };
  for (const auto& test : kCases) {
    DebugToken(test.permission);
    const Finding finding = Check(AccountOf(test.channel), "102290129340398")["permissions"];
    EXPECT_EQ(finding.verdict, test.verdict) << test.permission << ": " << finding.found;
    if (test.verdict == Verdict::kGood) continue;
    EXPECT_NE(finding.found.find(test.permission), std::string::npos) << finding.found;
    EXPECT_NE(finding.advice.find("docs/meta-app.md"), std::string::npos) << finding.advice;
  }
}

TEST_F(AccountChecksTest, PermissionsForOthersOrUntoldAreNoGoodNews) {
  DebugToken("", R"(,"granular_scopes":[{"scope":"pages_messaging","target_ids":["777"]}])");
  const Finding others = Check(AccountOf(CHANNEL_MESSENGER))["permissions"];
  EXPECT_EQ(others.verdict, Verdict::kWarning);
  EXPECT_NE(others.found.find("777"), std::string::npos) << others.found;
  DebugToken("", R"(,"granular_scopes":[{"scope":"pages_messaging","target_ids":["777","106540352242922"]}])");
  EXPECT_EQ(Check(AccountOf(CHANNEL_MESSENGER))["permissions"].verdict, Verdict::kGood);
  Answer("GET https://graph.example/v25.0/debug_token", 403, R"({"error":{"message":"no","code":10}})");
  EXPECT_EQ(Check(AccountOf(CHANNEL_MESSENGER))["permissions"].verdict, Verdict::kNotChecked);
  EXPECT_EQ(Check(AccountOf(CHANNEL_MESSENGER))["expiry"].verdict, Verdict::kNotChecked);
}

TEST_F(AccountChecksTest, ATokenNearItsEndIsAWarning) {
  const auto expiry = [this](const std::string& more) {
    DebugToken("", more);
    return Check(AccountOf(CHANNEL_MESSENGER))["expiry"];
  };
  EXPECT_EQ(expiry(R"(,"expires_at":0)").verdict, Verdict::kGood);
  EXPECT_EQ(expiry(R"(,"expires_at":)" + std::to_string(kNowS + 8 * kDayS)).verdict, Verdict::kGood);
  const Finding soon = expiry(R"(,"expires_at":)" + std::to_string(kNowS + 6 * kDayS));
  EXPECT_EQ(soon.verdict, Verdict::kWarning);
  EXPECT_NE(soon.found.find("6 days"), std::string::npos) << soon.found;
  EXPECT_EQ(expiry(R"(,"expires_at":)" + std::to_string(kNowS - 1)).verdict, Verdict::kWrong);
  EXPECT_EQ(expiry(R"(,"data_access_expires_at":)" + std::to_string(kNowS + kDayS)).verdict, Verdict::kWarning);
  const Finding ended = expiry(R"(,"expires_at":0,"data_access_expires_at":)" + std::to_string(kNowS - 10 * kDayS));
  EXPECT_EQ(ended.verdict, Verdict::kWarning) << "a page's token sends without it";
  EXPECT_NE(ended.found.find("has ended"), std::string::npos) << ended.found;
  account::Account login = InstagramLogin();
  login.access_token_written_s = kNowS - 50 * kDayS;
  EXPECT_EQ(Check(login)["expiry"].verdict, Verdict::kWarning);
  login.access_token_written_s = 0;
  EXPECT_EQ(Check(login)["expiry"].verdict, Verdict::kNotChecked);
}

// Banned, disconnected and unregistered numbers failed no check, and nobody is answered from them.
TEST_F(AccountChecksTest, ANumberThatCannotSendIsWrongAndOneThatIsNotWellAWarning) {
  const auto number = [this](const std::string& facts) {
    Answer("GET https://graph.example/v25.0/106540352242922", 200, R"({"id":"106540352242922")" + facts + "}");
    return Check(AccountOf(CHANNEL_WHATSAPP))["number"];
  };
  EXPECT_EQ(number(R"(,"quality_rating":"GREEN","status":"CONNECTED")").verdict, Verdict::kGood);
  EXPECT_EQ(number(R"(,"quality_rating":"UNKNOWN","status":"CONNECTED")").verdict, Verdict::kGood) << "a new number";
  EXPECT_EQ(number(R"(,"quality_rating":"RED","status":"CONNECTED")").verdict, Verdict::kWarning);
  EXPECT_EQ(number(R"(,"quality_rating":"GREEN","status":"FLAGGED")").verdict, Verdict::kWarning);
  EXPECT_EQ(number(R"(,"quality_rating":"GREEN","status":"RATE_LIMITED")").verdict, Verdict::kWarning);
  for (const char* state : {"RESTRICTED", "BANNED", "DISCONNECTED", "MIGRATED", "DELETED"}) {
    const Finding finding = number(std::string(R"(,"quality_rating":"GREEN","status":")") + state + "\"");
    EXPECT_EQ(finding.verdict, Verdict::kWrong) << state;
    EXPECT_EQ(finding.found.find("not registered"), std::string::npos) << finding.found;
  }
  for (const char* state : {"PENDING", "UNVERIFIED"}) {
    const Finding finding = number(std::string(R"(,"quality_rating":"GREEN","status":")") + state + "\"");
    EXPECT_EQ(finding.verdict, Verdict::kWrong) << state;
    EXPECT_NE(finding.found.find("not registered"), std::string::npos) << finding.found;
    EXPECT_NE(finding.advice.find("register the number (docs/meta-app.md)"), std::string::npos) << finding.advice;
    EXPECT_NE(finding.advice.find("POST /106540352242922/register"), std::string::npos) << finding.advice;
  }
  EXPECT_EQ(number("").verdict, Verdict::kNotChecked) << "Meta tells neither";
}

TEST_F(AccountChecksTest, OnlyOurAppsSubscriptionCounts) {
  Answer("GET https://graph.example/v25.0/102290129340398/subscribed_apps", 200,
         R"({"data":[{"whatsapp_business_api_data":{"id":"7"}}]})");
  Finding finding = Check(AccountOf(CHANNEL_WHATSAPP), "102290129340398")["subscription"];
  EXPECT_EQ(finding.verdict, Verdict::kWrong) << "another's app brings us nothing";
  EXPECT_NE(finding.found.find("(7), ours (1)"), std::string::npos) << finding.found;
  Answer("GET https://graph.example/v25.0/debug_token", 403, R"({"error":{"message":"no","code":10}})");
  finding = Check(AccountOf(CHANNEL_WHATSAPP), "102290129340398")["subscription"];
  EXPECT_EQ(finding.verdict, Verdict::kNotChecked) << "which app is ours is not known";
  EXPECT_NE(finding.found.find("(7)"), std::string::npos) << finding.found;
  account::Account account = AccountOf(CHANNEL_WHATSAPP);
  account.app_id = "7";
  EXPECT_EQ(Check(account, "102290129340398")["subscription"].verdict, Verdict::kGood) << "the accounts file says so";
  DebugToken("");
  EXPECT_EQ(Check(account, "102290129340398")["token"].verdict, Verdict::kWarning) << "a token of another app";
}

TEST_F(AccountChecksTest, NoSecretIsEverPrinted) {
  Answer("GET https://graph.example/v25.0/106540352242922", 401,
         R"({"error":{"message":"Malformed access token EAAtoken","code":190}})");
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
