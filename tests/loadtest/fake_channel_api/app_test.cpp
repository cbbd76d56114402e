#include "loadtest/fake_channel_api/app.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "libs/base/str_cat.h"
#include "libs/channel/codec.h"
#include "libs/json/value.h"

// The real server on a free port, the real codecs and the real client against it.
namespace fake_channel_api {
namespace {

using mesh::bus::v1::CHANNEL_INSTAGRAM;
using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::CHANNEL_WHATSAPP;

class AppTest : public ::testing::Test {
 protected:
  AppTest() : folder_(::testing::TempDir() + base::StrCat("fake_channel_api-", ::getpid())) {
    std::filesystem::create_directories(folder_);
    for (const char* name : {"app_secret", "verify_token", "token_w", "token_m", "token_i"}) {
      const std::string path = base::StrCat(folder_, "/", name);
      std::ofstream(path) << name << "-value\n";
      std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    }
    std::ofstream yaml(folder_ + "/accounts.yaml");
    yaml << "accounts:\n";
    for (const auto& [channel, id, token] :
         {std::tuple("whatsapp", "100", "token_w"), std::tuple("messenger", "200", "token_m"),
          std::tuple("instagram", "300", "token_i")}) {
      yaml << "  - tenant: t\n    channel: " << channel << "\n    account_id: \"" << id << "\"\n    development: true\n"
           << "    app_secret_file: app_secret\n    verify_token_file: verify_token\n    access_token_file: " << token
           << "\n";
    }
    yaml.close();
    options_.port = 0;
    options_.accounts = folder_ + "/accounts.yaml";
    auto client = http::Client::Create({}, "test", metrics_);
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }
  ~AppTest() override {
    if (app_ != nullptr) app_->Drain();
    std::filesystem::remove_all(folder_);
  }

  void StartApp() {
    auto app = App::Start(options_, metrics_);
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
  }

  http::ClientResult Ask(std::string method, const std::string& target, std::string body = "",
                         http::HeaderList headers = {}) {
    http::ClientRequest request;
    request.method = std::move(method);
    request.url =
        target.find("://") != std::string::npos ? target : base::StrCat("http://127.0.0.1:", app_->port(), target);
    request.headers = std::move(headers);
    request.body = std::move(body);
    request.deadline = base::Clock::Real().Now() + std::chrono::seconds(10);
    return client_->SendAndWait(std::move(request));
  }

  // Sends as the sender does and reads the answer as it does.
  http::ClientResult Post(mesh::bus::v1::Channel channel, const std::string& account_id, const std::string& token,
                          const std::string& user, const std::string& text) {
    account::Account account;
    account.account_id = account_id;
    account.access_token = crypto::Secret(token);
    account.graph_base_url = base::StrCat("http://127.0.0.1:", app_->port());
    mesh::bus::v1::OutboundPart part;
    part.set_text(text);
    const channel::OutboundRequest request =
        channel::FindCodec(channel)->EncodePart(account, user, part, "m-in", std::string(64, 'b'));
    return Ask("POST", request.url, request.body, {{"authorization", request.authorization}, {"traceparent", "00-t"}});
  }
  channel::SendAnswer Send(mesh::bus::v1::Channel channel, const std::string& account_id, const std::string& token,
                           const std::string& text) {
    const http::ClientResult result = Post(channel, account_id, token, "16505551234", text);
    EXPECT_TRUE(result.ok) << result.failure.status;
    return channel::FindCodec(channel)->DecodeAnswer(result.response.status, result.response.body);
  }

  const std::string folder_;
  Options options_;
  telemetry::Registry metrics_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<App> app_;
};

TEST_F(AppTest, AcceptsWhatOurCodecsSendAndShowsIt) {
  StartApp();
  EXPECT_EQ(Send(CHANNEL_WHATSAPP, "100", "token_w-value", "one").verdict, channel::SendVerdict::kAccepted);
  EXPECT_EQ(Send(CHANNEL_MESSENGER, "200", "token_m-value", "two").verdict, channel::SendVerdict::kAccepted);
  EXPECT_EQ(Send(CHANNEL_INSTAGRAM, "300", "token_i-value", "three").verdict, channel::SendVerdict::kAccepted);
  const http::ClientResult sends = Ask("GET", "/sends?since=0&user=16505551234");
  ASSERT_TRUE(sends.ok);
  EXPECT_EQ(sends.response.Header("x-next-since"), "3");
  const std::string first = sends.response.body.substr(0, sends.response.body.find('\n'));
  const auto line = json::Document::Parse(first);
  ASSERT_TRUE(line.ok()) << first;
  EXPECT_EQ(line->root().Find("text").AsString(), "one");
  EXPECT_EQ(line->root().Find("reply_id").AsString(), std::string(64, 'b'));
  EXPECT_EQ(line->root().Find("in_reply_to").AsString(), "m-in");
  EXPECT_EQ(line->root().Find("traceparent").AsString(), "00-t");
}

// A knob for sends is not used up by them either.
TEST_F(AppTest, AcceptsOurPresenceAndShowsNoMessage) {
  options_.rate_limit = 1;
  StartApp();
  account::Account account;
  account.graph_base_url = base::StrCat("http://127.0.0.1:", app_->port());
  for (const auto& [channel, id, token] :
       {std::tuple(CHANNEL_WHATSAPP, "100", "token_w-value"), std::tuple(CHANNEL_MESSENGER, "200", "token_m-value"),
        std::tuple(CHANNEL_INSTAGRAM, "300", "token_i-value")}) {
    account.account_id = id;
    account.access_token = crypto::Secret(token);
    for (const channel::OutboundRequest& request : channel::FindCodec(channel)->EncodePresence(
             account, "16505551234", "wamid.1", channel::PresenceKind::kReadAndTyping)) {
      EXPECT_EQ(Ask("POST", request.url, request.body, {{"authorization", request.authorization}}).response.status,
                200);
    }
    EXPECT_EQ(Send(channel, id, token, "x").verdict, channel::SendVerdict::kAccepted);
  }
  std::string actions = Ask("GET", "/actions").response.body;
  std::string seen;
  for (std::size_t at = 0; (at = actions.find(R"("action":")", at)) != std::string::npos; ++at) {
    seen += actions.substr(at + 10, actions.find('"', at + 10) - at - 10) + " ";
  }
  EXPECT_EQ(seen, "typing mark_seen typing_on mark_seen typing_on ");
  EXPECT_NE(actions.find(R"("message_id":"wamid.1")"), std::string::npos);
  EXPECT_EQ(Ask("GET", "/actions?user=nobody").response.body, "");
  EXPECT_EQ(Ask("GET", "/sends").response.Header("x-next-since"), "3");
}

TEST_F(AppTest, RefusesWithMetasErrorObject) {
  StartApp();
  const channel::SendAnswer dead_token = Send(CHANNEL_WHATSAPP, "100", "stolen", "x");
  EXPECT_EQ(dead_token.error_code, 190);
  EXPECT_EQ(dead_token.verdict, channel::SendVerdict::kPark);
  EXPECT_FALSE(dead_token.fbtrace_id.empty());
  const channel::SendAnswer too_long = Send(CHANNEL_INSTAGRAM, "300", "token_i-value", std::string(1001, 'x'));
  EXPECT_EQ(too_long.error_code, 100);
  EXPECT_EQ(too_long.verdict, channel::SendVerdict::kFail);
  EXPECT_EQ(Ask("GET", "/sends").response.body, "");
}

TEST_F(AppTest, KnobsActOnTheNextSends) {
  StartApp();
  ASSERT_EQ(
      Ask("POST", "/control", R"({"fail_next":{"n":1,"http_status":500,"with_error_object":false}})").response.status,
      200);
  EXPECT_EQ(Send(CHANNEL_WHATSAPP, "100", "token_w-value", "x").verdict, channel::SendVerdict::kInDoubt);
  ASSERT_EQ(Ask("POST", "/control", R"({"rate_limit":1})").response.status, 200);
  EXPECT_EQ(Send(CHANNEL_WHATSAPP, "100", "token_w-value", "shown").verdict, channel::SendVerdict::kAccepted);
  EXPECT_EQ(Send(CHANNEL_WHATSAPP, "100", "token_w-value", "x").verdict, channel::SendVerdict::kRetry);
  EXPECT_EQ(Ask("POST", "/control", R"({"rate":1})").response.status, 400);
}

TEST_F(AppTest, AcceptThenDropIsSeenByTheUserAndUnknownToTheSender) {
  options_.accept_then_drop = 1;
  StartApp();
  const http::ClientResult result = Post(CHANNEL_WHATSAPP, "100", "token_w-value", "16505551234", "shown");
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.failure.certainty, http::SendCertainty::kMaybeSent);
  EXPECT_NE(Ask("GET", "/sends").response.body.find("\"shown\""), std::string::npos);
}

TEST_F(AppTest, WhatIsLostIsSeenByTheUserAndSaysSo) {
  StartApp();
  ASSERT_EQ(Ask("POST", "/control", R"({"accept_then_lose":1})").response.status, 200);
  EXPECT_FALSE(Post(CHANNEL_WHATSAPP, "100", "token_w-value", "16505551234", "shown").ok);
  EXPECT_NE(Ask("GET", "/sends").response.body.find("\"lost\":true"), std::string::npos);
}

TEST_F(AppTest, DelayHoldsTheAnswerNotTheSend) {
  options_.delay_ms = 300;
  StartApp();
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(Send(CHANNEL_WHATSAPP, "100", "token_w-value", "x").verdict, channel::SendVerdict::kAccepted);
  EXPECT_GE(std::chrono::steady_clock::now() - started, std::chrono::milliseconds(290));
}

// What a gateway would be told: kept by a server in its place, which takes the first webhook only when it comes again.
TEST_F(AppTest, TellsTheGatewayWithItsSignatureUntilItIsTaken) {
  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<http::Request> requests;
  auto gateway = *http::Server::Create({}, "gateway", metrics_);
  gateway->Add({"POST", "/webhooks/whatsapp", "webhook", 0, [&](http::Request request, const http::Responder& respond) {
                  const std::lock_guard lock(mutex);
                  requests.push_back(std::move(request));
                  arrived.notify_all();
                  respond({.status = requests.size() == 1 ? 503 : 200, .headers = {}, .body = ""});
                }});
  ASSERT_TRUE(gateway->Start().ok());
  options_.status_webhooks = base::StrCat("http://127.0.0.1:", gateway->port());
  StartApp();
  ASSERT_EQ(Send(CHANNEL_WHATSAPP, "100", "token_w-value", "x").verdict, channel::SendVerdict::kAccepted);
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(arrived.wait_for(lock, std::chrono::seconds(10), [&] { return requests.size() == 3; }));
    for (const http::Request& request : requests) {
      EXPECT_TRUE(channel::SignatureMatches(request.Header("x-hub-signature-256"), request.body,
                                            {crypto::Secret("app_secret-value")}));
    }
  }
  app_->Drain();
  app_.reset();
}

TEST_F(AppTest, MissingAccountsFileIsNamed) {
  options_.accounts = "/nowhere/accounts.yaml";
  const auto app = App::Start(options_, metrics_);
  EXPECT_NE(std::string(app.status().message()).find("/nowhere/accounts.yaml"), std::string::npos);
}

}  // namespace
}  // namespace fake_channel_api
