#include "services/gateway/app.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "libs/base/str_cat.h"
#include "libs/channel/codec.h"
#include "libs/crypto/secret.h"
#include "libs/http/client.h"
#include "services/gateway/config.h"
#include "tests/integration/harness/wait.h"

namespace gateway {
namespace {

using harness::WaitUntil;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

// The whole service without a broker: nothing listens on port 1. One service for all tests, as its end waits for
// librdkafka.
class AppTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    char path[] = "/tmp/musemesh_gateway_test_XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    directory_ = path;
    std::ofstream(directory_ + "/secret") << "secret\n";
    std::filesystem::permissions(directory_ + "/secret",
                                 std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    std::ofstream(directory_ + "/accounts.yaml") << "accounts:\n"
                                                    "  - tenant: acme\n"
                                                    "    channel: whatsapp\n"
                                                    "    account_id: \"1065\"\n"
                                                    "    app_secret_file: secret\n"
                                                    "    verify_token_file: secret\n"
                                                    "    access_token_file: secret\n";
    registry_ = new telemetry::Registry;
    auto app = App::Create(MakeOptions(), *registry_);
    ASSERT_TRUE(app.ok()) << app.status();
    ASSERT_TRUE((*app)->Start().ok());
    app_ = app->release();
  }
  static void TearDownTestSuite() {
    delete app_;
    delete registry_;
    std::filesystem::remove_all(directory_);
  }

  static Options MakeOptions() {
    Options options;
    options.channels = {"instagram", "whatsapp"};
    options.accounts = directory_ + "/accounts.yaml";
    options.bus.brokers = "127.0.0.1:1";
    options.port = 0;
    options.delivery_timeout_ms = 200;
    return options;
  }
  static std::string CreateError(const Options& options) {
    telemetry::Registry registry;
    return std::string(App::Create(options, registry).status().message());
  }

  static http::Response Send(std::string method, std::string_view path, http::HeaderList headers = {},
                             std::string body = {}) {
    telemetry::Registry registry;
    const http::ClientResult result =
        (*http::Client::Create({}, "test", registry))
            ->SendAndWait({.method = std::move(method),
                           .url = base::StrCat("http://127.0.0.1:", app_->port(), path),
                           .headers = std::move(headers),
                           .body = std::move(body),
                           .deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10)});
    EXPECT_TRUE(result.ok) << result.failure.status;
    return result.response;
  }
  static http::Response Get(std::string_view path) { return Send("GET", path); }

  static inline std::string directory_;
  static inline telemetry::Registry* registry_ = nullptr;
  static inline App* app_ = nullptr;
};

TEST_F(AppTest, StartsWithoutABrokerAndSaysThatItIsNotReady) {
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_FALSE(app_->ready().takes_work());
}

TEST_F(AppTest, WithoutABrokerHandshakesAreAnsweredAndDeliveriesAre503) {
  EXPECT_EQ(Get("/webhooks/whatsapp?hub.mode=subscribe&hub.challenge=42&hub.verify_token=secret").body, "42");
  const std::string body = R"({"object":"whatsapp_business_account","entry":[]})";
  const std::string signature = channel::SignatureFor(body, crypto::Secret("secret"));
  EXPECT_EQ(Send("POST", "/webhooks/whatsapp", {{"X-Hub-Signature-256", signature}}, body).status, 503);
  EXPECT_EQ(Send("POST", "/webhooks/whatsapp", {}, body).status, 401);
}

TEST_F(AppTest, OnlyWebhooksMayHaveBodiesAndTheseUpTo4MiB) {
  EXPECT_EQ(Send("GET", "/healthz", {}, "x").status, 413);
  EXPECT_EQ(Send("POST", "/webhooks/whatsapp", {}, std::string(4 << 20, 'x')).status, 401);
  EXPECT_EQ(Send("POST", "/webhooks/whatsapp", {}, std::string((4 << 20) + 1, 'x')).status, 413);
}

TEST_F(AppTest, TheLandingPageNamesTheEndpointsOfItsChannels) {
  const std::string page = Get("/").body;
  EXPECT_THAT(page, HasSubstr("POST /webhooks/instagram"));
  EXPECT_THAT(page, HasSubstr("GET  /webhooks/whatsapp"));
  EXPECT_THAT(page, HasSubstr("/readyz"));
  EXPECT_EQ(Get("/webhooks/messenger").status, 404);
}

TEST_F(AppTest, MistakesInTheOptionsAreNamed) {
  Options options = MakeOptions();
  options.channels = {"whatsapp", "whatsapp"};
  EXPECT_THAT(CreateError(options), HasSubstr("whatsapp is named twice"));
  options = MakeOptions();
  options.accounts = directory_ + "/absent.yaml";
  EXPECT_THAT(CreateError(options), HasSubstr("absent.yaml"));
}

TEST_F(AppTest, MetricNamesAreThoseOfTheGoldenList) {
  std::string names;
  for (const std::string& name : registry_->MetricNames()) names += name + "\n";
  std::ifstream golden("tests/golden/metrics/gateway.txt");
  std::ostringstream expected;
  expected << golden.rdbuf();
  EXPECT_EQ(names, expected.str()) << "a metric was added, renamed or removed: update the list and the dashboards";
}

// Chaos, FAULTS=rolling: what a load balancer sent in the moment between the signal and its next probe was reset.
TEST_F(AppTest, AfterTheSignalWebhooksAreTakenUntilTheLoadBalancerKnows) {
  telemetry::Registry registry;
  Options options = MakeOptions();
  options.lame_duck_ms = 60'000;
  const auto app = App::Create(options, registry);
  ASSERT_TRUE(app.ok() && (*app)->Start().ok());
  std::thread drain([&] { (*app)->Drain(std::chrono::steady_clock::now() + std::chrono::seconds(4)); });
  EXPECT_TRUE(WaitUntil([&] { return !(*app)->ready().takes_work(); }));
  const auto client = http::Client::Create({}, "test", registry);
  const http::ClientResult result =
      (*client)->SendAndWait({.method = "GET",
                              .url = base::StrCat("http://127.0.0.1:", (*app)->port(), "/readyz"),
                              .headers = {},
                              .body = {},
                              .deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10)});
  drain.join();
  EXPECT_EQ(result.response.status, 503);
  EXPECT_THAT(result.response.body, HasSubstr("draining"));
}

}  // namespace
}  // namespace gateway
