#include "loadtest/fake_channel_api/target.h"

#include <gtest/gtest.h>

namespace fake_channel_api {
namespace {

account::Account MakeAccount(mesh::bus::v1::Channel channel, std::string id, std::string token) {
  account::Account account;
  account.channel = channel;
  account.account_id = std::move(id);
  account.access_token = crypto::Secret(std::move(token));
  return account;
}

class TargetTest : public ::testing::Test {
 protected:
  std::variant<const account::Account*, GraphError> Find(const std::string& path, const std::string& authorization,
                                                         std::string_view edge = "messages") {
    http::Request request;
    request.path = path;
    if (!authorization.empty()) request.headers = {{"authorization", authorization}};
    return FindTarget(request, edge, accounts_);
  }
  std::string Found(const std::string& path, const std::string& authorization, std::string_view edge = "messages") {
    const auto target = Find(path, authorization, edge);
    if (const GraphError* error = std::get_if<GraphError>(&target)) return "error " + std::to_string(error->code);
    return std::get<const account::Account*>(target)->account_id;
  }

  const account::AccountBook accounts_{{MakeAccount(mesh::bus::v1::CHANNEL_WHATSAPP, "100", "token-w"),
                                        MakeAccount(mesh::bus::v1::CHANNEL_MESSENGER, "200", "token-m"),
                                        MakeAccount(mesh::bus::v1::CHANNEL_INSTAGRAM, "300", "")}};
};

TEST_F(TargetTest, TokenAndIdNameTheAccount) {
  EXPECT_EQ(Found("/v25.0/100/messages", "Bearer token-w"), "100");
  EXPECT_EQ(Found("/v9/200/messages", "Bearer token-m"), "200");
  EXPECT_EQ(Found("/v25.0/me/messages", "Bearer token-m"), "200");
}

TEST_F(TargetTest, AccountItselfHasNoEdge) {
  EXPECT_EQ(Found("/v25.0/100", "Bearer token-w", ""), "100");
  EXPECT_EQ(Found("/v25.0/200/subscribed_apps", "Bearer token-m", "subscribed_apps"), "200");
  EXPECT_EQ(Found("/v25.0/100/messages", "Bearer token-w", ""), "error 100");
  EXPECT_EQ(Found("/v25.0/100", "Bearer token-w"), "error 100");
  EXPECT_EQ(Found("/v25.0/100", "Bearer other", ""), "error 190");
}

TEST_F(TargetTest, ABusinessAccountStandsForItsNumberWhereItsWebhooksAreMeant) {
  account::Account number = MakeAccount(mesh::bus::v1::CHANNEL_WHATSAPP, "100", "token-w");
  number.waba_id = "900";
  const account::AccountBook accounts({number});
  http::Request request;
  request.path = "/v25.0/900/subscribed_apps";
  request.headers = {{"authorization", "Bearer token-w"}};
  EXPECT_EQ(std::get<const account::Account*>(FindTarget(request, kSubscribedAppsEdge, accounts))->account_id, "100");
  request.path = "/v25.0/900/messages";
  EXPECT_EQ(std::get<GraphError>(FindTarget(request, "messages", accounts)).code, 100);
}

TEST_F(TargetTest, TokenMayStandInTheQuery) {
  http::Request request;
  request.path = "/v25.0/me/messages";
  request.raw_target = "/v25.0/me/messages?access_token=token-m";
  EXPECT_EQ(std::get<const account::Account*>(FindTarget(request, "messages", accounts_))->account_id, "200");
  request.headers = {{"authorization", "Bearer other"}};  // the header counts
  EXPECT_EQ(std::get<GraphError>(FindTarget(request, "messages", accounts_)).code, 190);
}

TEST_F(TargetTest, WrongTokenIs190) {
  for (const char* header : {"", "token-w", "Bearer ", "Bearer token-x", "bearer token-w", "Bearer token-w "}) {
    const auto target = Find("/v25.0/100/messages", header);
    ASSERT_TRUE(std::holds_alternative<GraphError>(target)) << header;
    EXPECT_EQ(std::get<GraphError>(target).code, 190) << header;
    EXPECT_EQ(std::get<GraphError>(target).http_status, 401) << header;
  }
  EXPECT_EQ(Found("/v25.0/300/messages", "Bearer "), "error 190");  // an account without a token is nobody's
}

TEST_F(TargetTest, IdThatTheTokenMayNotUseIsUnknown) {
  for (const char* path :
       {"/v25.0/200/messages", "/v25.0/999/messages", "/v25.0/me/messages", "/v25.0/100/feed", "/25/100/messages",
        "/v/100/messages", "/vx/100/messages", "/v25.0//messages", "/v25.0/100/messages/x"}) {
    const auto target = Find(path, "Bearer token-w");
    ASSERT_TRUE(std::holds_alternative<GraphError>(target)) << path;
    EXPECT_EQ(std::get<GraphError>(target).code, 100) << path;
    EXPECT_EQ(std::get<GraphError>(target).subcode, 33) << path;
  }
}

}  // namespace
}  // namespace fake_channel_api
