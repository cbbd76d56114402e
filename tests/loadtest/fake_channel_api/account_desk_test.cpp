#include "loadtest/fake_channel_api/account_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace fake_channel_api {
namespace {

using testing::HasSubstr;
using testing::Not;

account::Account MakeAccount(mesh::bus::v1::Channel channel, std::string id, std::string token) {
  account::Account account;
  account.channel = channel;
  account.account_id = std::move(id);
  account.access_token = crypto::Secret(std::move(token));
  account.app_secrets = {crypto::Secret("app-secret")};
  if (channel == mesh::bus::v1::CHANNEL_WHATSAPP) account.waba_id = "900";
  return account;
}

class AccountDeskTest : public testing::Test {
 protected:
  static http::Request Request(const std::string& target, const std::string& token) {
    http::Request request;
    request.raw_target = target;
    request.path = target.substr(0, target.find('?'));
    request.headers = {{"authorization", "Bearer " + token}};
    return request;
  }
  http::Response Get(const std::string& target, const std::string& token = "token-w") {
    return desk_.Get(Request(target, token), accounts_);
  }
  http::Response Post(const std::string& target, const std::string& token = "token-w") {
    return desk_.Subscribe(Request(target, token), accounts_);
  }
  http::Response Control(const std::string& id, const std::string& body) {
    http::Request request;
    request.method = "POST";
    request.path = "/control/accounts/" + id;
    request.body = body;
    return desk_.Control(request, accounts_);
  }

  static account::Account Instagram(std::string id, std::string token, std::string login) {
    account::Account account = MakeAccount(mesh::bus::v1::CHANNEL_INSTAGRAM, std::move(id), std::move(token));
    account.login = std::move(login);
    return account;
  }

  const account::AccountBook accounts_{{MakeAccount(mesh::bus::v1::CHANNEL_WHATSAPP, "100", "token-w"),
                                        MakeAccount(mesh::bus::v1::CHANNEL_MESSENGER, "200", "token-m"),
                                        Instagram("300", "token-i", "instagram"),
                                        Instagram("400", "token-p", "facebook")}};
  AccountDesk desk_;
};

TEST_F(AccountDeskTest, AnAccountTellsWhatItIsAskedFor) {
  const http::Response number = Get("/v25.0/100?fields=id,quality_rating,status");
  EXPECT_EQ(number.status, 200);
  EXPECT_EQ(number.body, R"({"quality_rating":"GREEN","status":"CONNECTED","id":"100"})");
  EXPECT_EQ(Get("/v25.0/100").body, R"({"id":"100"})");
  EXPECT_EQ(Get("/v25.0/200?fields=id,quality_rating", "token-m").status, 400) << "a page has no such field";
  EXPECT_EQ(Get("/v25.0/999?fields=id").status, 400);
  EXPECT_EQ(Get("/v25.0/100?fields=id", "stolen").status, 401);
}

TEST_F(AccountDeskTest, AnExpiredTokenIsRefusedEverywhereAndExplainedToOthersAlone) {
  ASSERT_EQ(Control("100", R"({"token_expired":true})").status, 200);
  for (const char* target : {"/v25.0/100", "/v25.0/900/subscribed_apps", "/v25.0/debug_token?input_token=token-w"}) {
    EXPECT_EQ(Get(target).status, 401) << target;
    EXPECT_THAT(Get(target).body, HasSubstr(R"("error_subcode":463)")) << target;
  }
  EXPECT_THAT(Get("/v25.0/debug_token?input_token=token-w", "token-m").body, HasSubstr(R"("is_valid":false)"));
  EXPECT_EQ(Post("/v25.0/900/subscribed_apps").status, 401);
  EXPECT_EQ(Get("/v25.0/200", "token-m").status, 200) << "that of another account lives";
}

TEST_F(AccountDeskTest, TokensSayWhenTheyEnd) {
  ASSERT_EQ(Control("100", R"({"token_expires_at":1800000000})").status, 200);
  EXPECT_THAT(Get("/v25.0/debug_token?input_token=token-w").body, HasSubstr(R"("expires_at":1800000000)"));
  EXPECT_EQ(Get("/v25.0/debug_token?input_token=other").status, 400);
}

TEST_F(AccountDeskTest, InstagramLoginHasAnIdOfTheAppsOwnAndTellsNothingOfItsToken) {
  EXPECT_EQ(Get("/v25.0/me?fields=user_id", "token-i").body, R"({"user_id":"300","id":"26300"})");
  EXPECT_EQ(Get("/v25.0/300?fields=id", "token-i").body, R"({"id":"26300"})");
  EXPECT_EQ(Get("/v25.0/debug_token?input_token=token-i", "token-i").status, 400);
  EXPECT_EQ(Get("/v25.0/400?fields=id", "token-p").body, R"({"id":"400"})");
  EXPECT_EQ(Get("/v25.0/me", "token-p").body, R"({"id":"61400"})") << "the page";
  EXPECT_EQ(Get("/v25.0/400?fields=user_id", "token-p").status, 400);
}

TEST_F(AccountDeskTest, PermissionsAreTheTokensAndOneFieldMoreCostsTheSubscription) {
  EXPECT_THAT(Get("/v25.0/debug_token?input_token=token-m", "token-m").body,
              HasSubstr(R"("scopes":["pages_manage_metadata","pages_messaging"])"));
  ASSERT_EQ(Control("200", R"({"token_scopes":["pages_manage_metadata"]})").status, 200);
  EXPECT_THAT(Get("/v25.0/debug_token?input_token=token-m", "token-m").body,
              HasSubstr(R"("scopes":["pages_manage_metadata"])"));
  const http::Response refused = Post("/v25.0/200/subscribed_apps?subscribed_fields=feed,messages", "token-m");
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.body, HasSubstr("pages_messaging"));
  EXPECT_EQ(Post("/v25.0/200/subscribed_apps?subscribed_fields=feed", "token-m").status, 200);
  EXPECT_EQ(Post("/v25.0/300/subscribed_apps?subscribed_fields=messages", "token-i").status, 200);
  EXPECT_EQ(Post("/v25.0/me/subscribed_apps?subscribed_fields=messages", "token-p").status, 403)
      << "a page's field, for an Instagram account's token";
}

TEST_F(AccountDeskTest, TheAppAsksForAnyTokenADeadOneToo) {
  ASSERT_EQ(Control("100", R"({"token_expired":true})").status, 200);
  EXPECT_THAT(Get("/v25.0/debug_token?input_token=token-w", "100000000000000|app-secret").body,
              HasSubstr(R"("is_valid":false)"));
  EXPECT_EQ(Get("/v25.0/debug_token?input_token=token-w", "100000000000000|other").status, 401);
  EXPECT_EQ(Get("/v25.0/debug_token?input_token=token-w", "7|app-secret").status, 401);
  EXPECT_EQ(Get("/v25.0/200", "100000000000000|app-secret").status, 401) << "of the app, not of a page";
}

TEST_F(AccountDeskTest, SubscriptionsComeAndGo) {
  EXPECT_THAT(Get("/v25.0/900/subscribed_apps").body, HasSubstr("whatsapp_business_api_data"));
  ASSERT_EQ(Control("100", R"({"subscribed":false})").status, 200);
  EXPECT_EQ(Get("/v25.0/900/subscribed_apps").body, R"({"data":[]})");
  EXPECT_EQ(Post("/v25.0/900/subscribed_apps").body, R"({"success":true})");
  EXPECT_THAT(Get("/v25.0/900/subscribed_apps").body, HasSubstr("whatsapp_business_api_data"));
  EXPECT_EQ(Post("/v25.0/200/subscribed_apps", "token-m").status, 400) << "a page's fields must be named";
  EXPECT_EQ(Post("/v25.0/200/subscribed_apps?subscribed_fields=feed", "token-m").status, 200);
  EXPECT_THAT(Get("/v25.0/200/subscribed_apps", "token-m").body, Not(HasSubstr("messages"))) << "the list is replaced";
  EXPECT_THAT(Control("200", "{}").body, HasSubstr(R"("subscriptions":1)"));
}

TEST_F(AccountDeskTest, StatesThatDoNotExistChangeNothing) {
  EXPECT_EQ(Control("100", R"({"subscribed":false,"mood":"good"})").status, 400);
  EXPECT_EQ(Control("100", R"({"subscribed":"no"})").status, 400);
  EXPECT_EQ(Control("100", R"({"token_scopes":["a",7]})").status, 400);
  EXPECT_EQ(Control("100", "no json").status, 400);
  EXPECT_EQ(Control("999", "{}").status, 404);
  EXPECT_THAT(Control("100", "{}").body, HasSubstr(R"("subscribed":true)"));
}

}  // namespace
}  // namespace fake_channel_api
