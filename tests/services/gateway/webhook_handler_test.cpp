#include "services/gateway/webhook_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/str_cat.h"
#include "libs/channel/event_json.h"
#include "libs/channel/unusable.h"
#include "libs/http/client.h"
#include "libs/identity/identity.h"
#include "proto/bus/v1/bus.pb.h"
#include "tests/fakes/fake_producer.h"

namespace gateway {
namespace {

using mesh::bus::v1::CHANNEL_WHATSAPP;
using mesh::bus::v1::Turn;
using ::testing::HasSubstr;

constexpr std::string_view kSecret = "app-secret";
constexpr std::string_view kOtherSecret = "other-app-secret";

account::Account MakeAccount(std::string tenant, std::string id, std::string_view secret, std::string_view token) {
  account::Account account;
  account.tenant = std::move(tenant);
  account.channel = CHANNEL_WHATSAPP;
  account.account_id = std::move(id);
  account.app_secrets.emplace_back(std::string(secret));
  account.verify_token = crypto::Secret(std::string(token));
  return account;
}

std::string Message(std::string_view id, std::string_view text) {
  return base::StrCat(R"({"from":"1650","id":")", id, R"(","timestamp":")", base::Clock::Real().WallMs() / 1000,
                      R"(","type":"text","text":{"body":")", text, R"("}})");
}
std::string Body(std::string_view account, std::string_view messages) {
  return base::StrCat(
      R"({"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":)",
      R"({"metadata":{"phone_number_id":")", account, R"("},"messages":[)", messages, "]}}]}]}");
}

// The handler behind a real HTTP server, with a producer that needs no broker.
class WebhookHandlerTest : public ::testing::Test {
 protected:
  WebhookHandlerTest() : metrics_({CHANNEL_WHATSAPP}, registry_) {
    SetAccounts(
        {MakeAccount("acme", "1065", kSecret, "verify-me"), MakeAccount("other", "2077", kOtherSecret, "other-token")});
    handler_ = std::make_unique<WebhookHandler>(WebhookHandler::Environment{
        .codec = channel::FindCodec(CHANNEL_WHATSAPP),
        .current_book = [this] { return book_.load(); },
        .producer = &producer_,
        .topics = RecordTopics(bus::BusOptions{}),
        .may_produce = [this] { return topics_ready_ ? absl::OkStatus() : absl::UnavailableError("no"); },
        .log_watch = &log_watch_,
        .metrics = &metrics_.For(CHANNEL_WHATSAPP),
        .clock = &base::Clock::Real()});
    auto server = http::Server::Create({}, "gateway", registry_);
    server_ = *std::move(server);
    server_->Add({.method = "GET",
                  .path = "/w",
                  .route = "verify",
                  .handler = [this](const http::Request& request, const http::Responder& respond) {
                    handler_->Verify(request, respond);
                  }});
    server_->Add({.method = "POST",
                  .path = "/w",
                  .route = "deliver",
                  .body_bytes_max = 4 << 20,
                  .handler = [this](const http::Request& request, http::Responder respond) {
                    handler_->Deliver(request, std::move(respond));
                  }});
    EXPECT_TRUE(server_->Start().ok());
    client_ = *http::Client::Create({}, "test", registry_);
  }
  ~WebhookHandlerTest() override {
    producer_.Hold(false);
    client_.reset();
    server_.reset();
  }

  void SetAccounts(std::vector<account::Account> accounts) {
    book_.store(std::make_shared<const account::AccountBook>(std::move(accounts)));
  }

  std::future<http::Response> Start(http::ClientRequest request) {
    request.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    auto done = std::make_shared<std::promise<http::Response>>();
    client_->Send(std::move(request), [done](http::ClientResult result) {
      EXPECT_TRUE(result.ok) << result.failure.status;
      done->set_value(std::move(result.response));
    });
    return done->get_future();
  }
  std::future<http::Response> StartPost(std::string body, std::string_view secret = kSecret,
                                        http::HeaderList headers = {}) {
    headers.emplace_back("X-Hub-Signature-256", channel::SignatureFor(body, crypto::Secret(std::string(secret))));
    return Start({.method = "POST", .url = Url(""), .headers = std::move(headers), .body = std::move(body)});
  }
  http::Response Post(std::string body, std::string_view secret = kSecret, http::HeaderList headers = {}) {
    return StartPost(std::move(body), secret, std::move(headers)).get();
  }
  http::Response PostUnsigned(std::string body, http::HeaderList headers) {
    return Start({.method = "POST", .url = Url(""), .headers = std::move(headers), .body = std::move(body)}).get();
  }
  http::Response Get(std::string_view query) { return Start({.method = "GET", .url = Url(query)}).get(); }
  std::string Url(std::string_view query) const {
    return base::StrCat("http://127.0.0.1:", server_->port(), "/w", query);
  }

  double Metric(const std::string& series) const {
    const std::string text = "\n" + registry_.ToPrometheusText();
    const std::size_t at = text.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
  }
  double Outcome(const std::string& outcome) const {
    return Metric("gateway_webhooks_total{channel=\"whatsapp\",outcome=\"" + outcome + "\"}");
  }
  double IgnoredCount(const std::string& reason) const {
    return Metric("gateway_ignored_total{channel=\"whatsapp\",reason=\"" + reason + "\"}");
  }

  telemetry::Registry registry_;
  Metrics metrics_;
  std::atomic<std::shared_ptr<const account::AccountBook>> book_;
  std::atomic<bool> topics_ready_{true};
  LogWatch log_watch_{&base::Clock::Real()};
  std::unique_ptr<WebhookHandler> handler_;
  fakes::FakeProducer producer_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Client> client_;
};

TEST_F(WebhookHandlerTest, TheHandshakeEchoesTheChallengeAsPlainText) {
  const http::Response response = Get("?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=verify-me");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "1158201444");
  EXPECT_THAT(response.content_type, HasSubstr("text/plain"));
  EXPECT_EQ(response.Header("x-content-type-options"), "nosniff");
  EXPECT_EQ(Get("?hub.mode=subscribe&hub.challenge=1&hub.verify_token=other-token").status,
            200);  // any account of the channel
}

TEST_F(WebhookHandlerTest, AHandshakeWithTheWrongTokenIsRefused) {
  for (const char* token : {"wrong", "", "verify-m", "verify-me2", "verify-me%00"}) {
    const http::Response response = Get(base::StrCat("?hub.mode=subscribe&hub.challenge=1&hub.verify_token=", token));
    EXPECT_EQ(response.status, 403) << token;
    EXPECT_EQ(response.body.find('1'), std::string::npos);
  }
}

TEST_F(WebhookHandlerTest, AnEmptyConfiguredTokenMatchesNothing) {
  SetAccounts({MakeAccount("acme", "1065", kSecret, "")});
  EXPECT_EQ(Get("?hub.mode=subscribe&hub.challenge=1&hub.verify_token=").status, 403);
}

TEST_F(WebhookHandlerTest, AGetThatIsNoHandshakeIs400) {
  for (const char* query : {"", "?hub.challenge=1&hub.verify_token=verify-me",
                            "?hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=verify-me",
                            "?hub.mode=subscribe&hub.verify_token=verify-me", "?hub.mode=subscribe&hub.challenge=1",
                            "?hub.mode=subscribe&hub.challenge=%3Cscript%3E&hub.verify_token=verify-me"}) {
    EXPECT_EQ(Get(query).status, 400) << query;
  }
}

TEST_F(WebhookHandlerTest, ASignedMessageIsOneTurn) {
  const http::Response response = Post(Body("1065", Message("wamid.1", "hello")), kSecret,
                                       {{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}});
  EXPECT_EQ(response.status, 200);
  const auto log = producer_.log();
  ASSERT_EQ(log.size(), 1u);
  EXPECT_EQ(log[0].topic, "mesh.turns");
  Turn turn;
  ASSERT_TRUE(turn.ParseFromString(log[0].value));
  EXPECT_EQ(turn.conversation().tenant(), "acme");
  EXPECT_EQ(turn.text(), "hello");
  EXPECT_THAT(std::string(bus::FindHeader(log[0].headers, "traceparent")),
              HasSubstr("4bf92f3577b34da6a3ce929d0e0e4736"));
  EXPECT_EQ(Outcome("persisted"), 1);
  EXPECT_EQ(Metric("gateway_events_total{channel=\"whatsapp\",kind=\"message\"}"), 1);
  EXPECT_EQ(Metric("gateway_ack_seconds_count{channel=\"whatsapp\"}"), 1);
}

TEST_F(WebhookHandlerTest, AChangedUserIdIsATurnOfTheOldIdThoughNothingElseNamesTheUser) {
  const std::string body = base::StrCat(
      R"({"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"user_id_update","value":{)",
      R"("metadata":{"phone_number_id":"1065"},"user_id_update":[{"user_id":{"previous":"US.OLD","current":"US.NEW"},)",
      R"("timestamp":")", base::Clock::Real().WallMs() / 1000, R"("}]}}]}]})");
  EXPECT_EQ(Post(body).status, 200);
  const auto log = producer_.log();
  ASSERT_EQ(log.size(), 1u);
  Turn turn;
  ASSERT_TRUE(turn.ParseFromString(log[0].value));
  EXPECT_EQ(turn.kind(), mesh::bus::v1::TURN_KIND_IDENTITY_CHANGE);
  EXPECT_EQ(turn.conversation().user(), "US.OLD");
  EXPECT_EQ(log[0].key, identity::KeyOf(turn.conversation()).value());
}

TEST_F(WebhookHandlerTest, TheSignatureIsOverTheRawBytes) {
  const std::string escaped = Body("1065", Message("wamid.1", R"(\u00e4 \u0040 \/)"));
  EXPECT_EQ(Post(escaped).status, 200);
  Turn turn;
  ASSERT_TRUE(turn.ParseFromString(producer_.log().at(0).value));
  EXPECT_EQ(turn.text(), "\xc3\xa4 @ /");
}

TEST_F(WebhookHandlerTest, NothingUnsignedIsProduced) {
  const std::string body = Body("1065", Message("wamid.1", "hello"));
  const std::string good = channel::SignatureFor(body, crypto::Secret(std::string(kSecret)));
  EXPECT_EQ(PostUnsigned(body, {}).status, 401);
  EXPECT_EQ(PostUnsigned(body, {{"X-Hub-Signature", "sha1=0123456789012345678901234567890123456789"}}).status, 401);
  EXPECT_EQ(PostUnsigned(body, {{"X-Hub-Signature-256", good.substr(7)}}).status, 401);
  EXPECT_EQ(PostUnsigned(body, {{"X-Hub-Signature-256", good}, {"X-Hub-Signature-256", good}}).status, 401);
  EXPECT_EQ(PostUnsigned(body, {{"X-Hub-Signature-256", "sha256=" + std::string(64, '0')}}).status, 403);
  EXPECT_EQ(Post(body, "not-the-secret").status, 403);
  EXPECT_EQ(PostUnsigned("", {{"X-Hub-Signature-256", good}}).status, 403);
  EXPECT_EQ(Outcome("unsigned"), 4);
  EXPECT_EQ(Outcome("bad_signature"), 3);
  EXPECT_TRUE(producer_.log().empty());
}

// Goal: no altered body passes. Method: every single bit of a signed body is flipped in turn.
TEST_F(WebhookHandlerTest, EveryFlippedBitIsNoticed) {
  const std::string body = Body("1065", Message("wamid.1", "hello"));
  const std::string good = channel::SignatureFor(body, crypto::Secret(std::string(kSecret)));
  std::vector<std::future<http::Response>> responses;
  for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
    std::string altered = body;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << (bit % 8)));
    responses.push_back(
        Start({.method = "POST", .url = Url(""), .headers = {{"X-Hub-Signature-256", good}}, .body = altered}));
  }
  for (auto& response : responses) EXPECT_EQ(response.get().status, 403);
  EXPECT_TRUE(producer_.log().empty());
}

TEST_F(WebhookHandlerTest, ATenantCannotSpeakForAnothersAccount) {
  EXPECT_EQ(Post(Body("1065", Message("wamid.1", "forged")), kOtherSecret).status, 200);
  EXPECT_TRUE(producer_.log().empty());
  EXPECT_EQ(IgnoredCount("foreign_signature"), 1);
}

TEST_F(WebhookHandlerTest, BothSecretsOfARotationAreValidAndANewBookCountsAtOnce) {
  account::Account rotating = MakeAccount("acme", "1065", kSecret, "t");
  rotating.app_secrets.emplace_back("next-secret");
  SetAccounts({rotating});
  EXPECT_EQ(Post(Body("1065", Message("wamid.1", "a")), kSecret).status, 200);
  EXPECT_EQ(Post(Body("1065", Message("wamid.2", "b")), "next-secret").status, 200);
  EXPECT_EQ(producer_.log().size(), 2u);
  SetAccounts({MakeAccount("acme", "1065", "next-secret", "t")});
  EXPECT_EQ(Post(Body("1065", Message("wamid.3", "c")), kSecret).status, 403);
}

TEST_F(WebhookHandlerTest, SignedButUnusableBodiesAre200AndCounted) {
  for (const auto& [body, reason] :
       std::vector<std::pair<std::string, std::string>>{{"", "not_json"},
                                                        {"not json", "not_json"},
                                                        {R"({"object":"page","entry":[]})", "wrong_object"},
                                                        {std::string(2000, '[') + std::string(2000, ']'), "too_deep"},
                                                        {"{\"object\":\"\xff\"}", "not_utf8"}}) {
    const double before = IgnoredCount(reason);
    EXPECT_EQ(Post(body).status, 200) << body.substr(0, 40);
    EXPECT_EQ(IgnoredCount(reason), before + 1) << body.substr(0, 40);
  }
  EXPECT_EQ(Outcome("unusable"), 5);
  EXPECT_TRUE(producer_.log().empty());
}

// A reason that the metrics did not know was counted as "other".
TEST_F(WebhookHandlerTest, WhatACodecMaySayIsCountedAsWhatItIs) {
  for (const std::string_view reason : channel::UnusableReasons()) {
    metrics_.For(CHANNEL_WHATSAPP).CountIgnored(reason);
    EXPECT_EQ(IgnoredCount(std::string(reason)), 1) << reason;
  }
  EXPECT_EQ(IgnoredCount("other"), 0);
  for (int i = 0; i < static_cast<int>(channel::EventKind::kCount); ++i) {
    const auto kind = static_cast<channel::EventKind>(i);
    metrics_.For(CHANNEL_WHATSAPP).CountEvent(kind);
    EXPECT_EQ(
        Metric("gateway_events_total{channel=\"whatsapp\",kind=\"" + std::string(channel::ToString(kind)) + "\"}"), 1);
  }
}

TEST_F(WebhookHandlerTest, UnconfiguredAccountsAndRepeatsAreCountedAndNotProduced) {
  EXPECT_EQ(Post(Body("9999", Message("wamid.1", "hello"))).status, 200);
  EXPECT_EQ(IgnoredCount("unknown_account"), 1);
  EXPECT_EQ(Outcome("nothing_to_keep"), 1);
  EXPECT_EQ(Post(Body("1065", Message("wamid.2", "hello") + "," + Message("wamid.2", "hello"))).status, 200);
  EXPECT_EQ(IgnoredCount("duplicate"), 1);
  EXPECT_EQ(producer_.log().size(), 1u);
}

// A change of the WhatsApp Business Account `waba`, as Meta tells it: under no number.
std::string AccountUpdate(std::string_view waba, std::string_view event) {
  return base::StrCat(R"({"object":"whatsapp_business_account","entry":[{"id":")", waba,
                      R"(","time":1,"changes":[{"field":"account_update","value":{"event":")", event, R"("}}]}]})");
}

TEST_F(WebhookHandlerTest, WhatIsToldOfAnAccountIsCountedAndNeedsNoConversation) {
  account::Account number = MakeAccount("acme", "1065", kSecret, "t");
  number.waba_id = "900";
  SetAccounts({number, MakeAccount("other", "2077", kOtherSecret, "t")});
  EXPECT_EQ(Post(AccountUpdate("900", "ACCOUNT_RESTRICTION")).status, 200);
  EXPECT_EQ(Post(AccountUpdate("900", "ACCOUNT_RESTRICTION")).status, 200);
  EXPECT_EQ(Metric(R"(gateway_account_events_total{account="900",channel="whatsapp",type="account_restriction"})"), 2);
  EXPECT_EQ(Metric(R"(gateway_account_punishments_total{account="900",channel="whatsapp"})"), 2);
  EXPECT_EQ(IgnoredCount("no_user"), 0);
  EXPECT_EQ(Outcome("nothing_to_keep"), 2);
  EXPECT_TRUE(producer_.log().empty());
}

TEST_F(WebhookHandlerTest, WhateverElseWasTold_WhatMetaDoesAgainstAnAccountIsSeen) {
  std::vector<account::Account> accounts;
  for (int i = 0; i < 300; ++i) {
    account::Account number = MakeAccount("acme", base::StrCat("10", i), kSecret, "t");
    number.waba_id = base::StrCat("9", i);
    accounts.push_back(std::move(number));
  }
  SetAccounts(accounts);
  for (int i = 0; i < 300; ++i) Post(AccountUpdate(base::StrCat("9", i), "PARTNER_ADDED"));
  Post(AccountUpdate("9299", "DISABLED_UPDATE"));
  EXPECT_EQ(Metric(R"(gateway_account_punishments_total{account="9299",channel="whatsapp"})"), 1);
}

TEST_F(WebhookHandlerTest, NobodyTellsOfAnothersBusinessAccountOrOfOneThatIsNotConfigured) {
  account::Account number = MakeAccount("acme", "1065", kSecret, "t");
  number.waba_id = "900";
  SetAccounts({number, MakeAccount("other", "2077", kOtherSecret, "t")});
  EXPECT_EQ(Post(AccountUpdate("900", "DISABLED_UPDATE"), kOtherSecret).status, 200);
  EXPECT_EQ(IgnoredCount("foreign_signature"), 1);
  EXPECT_EQ(Post(AccountUpdate("901", "DISABLED_UPDATE")).status, 200);
  EXPECT_EQ(IgnoredCount("unknown_account"), 1) << "no label for what the file does not name";
  EXPECT_EQ(Metric(R"(gateway_account_events_total{account="901",channel="whatsapp",type="account_disabled"})"), -1);
}

TEST_F(WebhookHandlerTest, AnAccountsErrorsComeBesideItsUsersMessages) {
  std::string body = Body("1065", Message("wamid.1", "hello"));
  body.insert(body.find(R"("messages":)"), R"("errors":[{"code":130429,"title":"Rate limit hit"}],)");
  EXPECT_EQ(Post(body).status, 200);
  EXPECT_EQ(Metric(R"(gateway_account_events_total{account="1065",channel="whatsapp",type="errors"})"), 1);
  EXPECT_EQ(producer_.log().size(), 1u) << "the user's turn is kept";
}

TEST_F(WebhookHandlerTest, TheAnswerWaitsForEveryDeliveryReport) {
  producer_.Hold(true);
  auto response = StartPost(Body("1065", Message("wamid.1", "a") + "," + Message("wamid.2", "b")));
  ASSERT_TRUE(producer_.WaitForProduced(2));
  EXPECT_EQ(response.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  producer_.Hold(false);
  EXPECT_EQ(response.get().status, 200);
}

TEST_F(WebhookHandlerTest, OneFailedReportAmongManyIs503) {
  producer_.FailWhen([](const bus::OutgoingRecord& record) {
    Turn turn;
    return turn.ParseFromString(record.value) && turn.message_id() == "wamid.1" ? absl::UnavailableError("broker down")
                                                                                : absl::OkStatus();
  });
  const http::Response response = Post(Body("1065", Message("wamid.1", "a") + "," + Message("wamid.2", "b")));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.Header("retry-after"), "5");
  EXPECT_EQ(Outcome("not_persisted"), 1);
  EXPECT_EQ(producer_.log().size(), 1u);
}

TEST_F(WebhookHandlerTest, AFullQueueIs503AtOnce) {
  producer_.Hold(true);
  producer_.SetQueueRecordsMax(0);
  EXPECT_EQ(Post(Body("1065", Message("wamid.1", "a"))).status, 503);
}

TEST_F(WebhookHandlerTest, NothingIsProducedBeforeTheTopicsAreThere) {
  topics_ready_ = false;
  EXPECT_EQ(Post(Body("1065", Message("wamid.1", "a"))).status, 503);
  EXPECT_EQ(Outcome("not_ready"), 1);
  topics_ready_ = true;
  EXPECT_EQ(Post(Body("1065", Message("wamid.1", "a"))).status, 200);
  EXPECT_EQ(producer_.log().size(), 1u);
}

TEST_F(WebhookHandlerTest, ABatchOfThousandsIsOneAnswer) {
  std::string messages;
  for (int i = 0; i < 5000; ++i)
    messages += base::StrCat(i > 0 ? "," : "", Message(base::StrCat("wamid.", i), "hello"));
  EXPECT_EQ(Post(Body("1065", messages)).status, 200);
  EXPECT_EQ(producer_.log().size(), 5000u);
}

TEST_F(WebhookHandlerTest, ThousandsOfWebhooksInFlightAreAllAnswered) {
  std::vector<std::future<http::Response>> responses;
  for (int i = 0; i < 2000; ++i)
    responses.push_back(StartPost(Body("1065", Message(base::StrCat("wamid.", i), "hello"))));
  for (auto& response : responses) EXPECT_EQ(response.get().status, 200);
  EXPECT_EQ(producer_.log().size(), 2000u);
}

}  // namespace
}  // namespace gateway
