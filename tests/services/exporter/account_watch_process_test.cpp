// The exporter as a process against the fake Graph API. Neither a broker nor a Redis is there: what is told of accounts
// needs neither.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "libs/base/str_cat.h"
#include "libs/http/client.h"
#include "loadtest/fake_channel_api/app.h"
#include "tests/integration/harness/child_process.h"
#include "tests/integration/harness/net.h"
#include "tests/integration/harness/temp_dir.h"
#include "tests/integration/harness/wait.h"

namespace exporter {
namespace {

using harness::WaitUntil;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr char kNumber[] = "100000000000001";
constexpr char kPage[] = "200000000000002";

class AccountWatchProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    auto client = http::Client::Create({}, "test", metrics_);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
    graph_options_.port = harness::FreePort();
    graph_options_.accounts = WriteAccounts("");
    auto graph = fake_channel_api::App::Start(graph_options_, metrics_);
    ASSERT_TRUE(graph.ok()) << graph.status();
    graph_ = *std::move(graph);
  }
  void TearDown() override {
    exporter_.reset();
    graph_->Drain();
  }

  // With `more` as a further line of the page's account.
  std::string WriteAccounts(const std::string& more) {
    std::string yaml = "accounts:\n";
    for (const auto& [channel, id, line] :
         {std::tuple("whatsapp", kNumber, std::string("waba_id: \"900\"")), std::tuple("messenger", kPage, more)}) {
      const std::string secret = dir_.File(std::string(channel) + "-secret");
      std::ofstream(secret) << channel << "-secret\n";
      chmod(secret.c_str(), 0600);
      yaml += base::StrCat("  - tenant: acme\n    channel: ", channel, "\n    account_id: \"", id,
                           "\"\n    development: true\n    app_secret_file: ", secret,
                           "\n    verify_token_file: ", secret, "\n    access_token_file: ", secret,
                           "\n    graph_base_url: http://127.0.0.1:", graph_options_.port, "\n",
                           line.empty() ? "" : "    ", line, "\n");
    }
    std::ofstream(dir_.File("accounts.yaml")) << yaml;
    return dir_.File("accounts.yaml");
  }

  void StartExporter() {
    admin_port_ = harness::FreePort();
    const char* bin = std::getenv("MESH_BIN_DIR");
    auto started = harness::ChildProcess::Start(
        {.command = {base::StrCat(bin == nullptr ? "build/bin" : bin, "/exporter"), "--kafka-brokers=127.0.0.1:1",
                     "--redis-port=1", "--accounts=" + dir_.File("accounts.yaml"), "--account-poll-s=1",
                     base::StrCat("--admin-port=", admin_port_)},
         .log_path = dir_.File("exporter.log"),
         .environment = {}});
    ASSERT_TRUE(started.ok()) << started.status();
    exporter_ = *std::move(started);
  }

  std::string Ask(std::string method, const std::string& url, std::string body = "") {
    http::ClientRequest request;
    request.method = std::move(method);
    request.url = url;
    request.body = std::move(body);
    request.deadline = base::Clock::Real().Now() + seconds(5);
    http::ClientResult result = client_->SendAndWait(std::move(request));
    return result.ok ? std::move(result.response.body) : std::string();
  }
  std::string Control(const std::string& account, const std::string& state) {
    return Ask("POST", base::StrCat("http://127.0.0.1:", graph_options_.port, "/control/accounts/", account), state);
  }
  // -1 when the series is not there.
  double Figure(const std::string& name, const std::string& channel, const std::string& account) {
    const std::string text = "\n" + Ask("GET", base::StrCat("http://127.0.0.1:", admin_port_, "/metrics"));
    const std::string series =
        base::StrCat("\nexporter_account_", name, "{account=\"", account, "\",channel=\"", channel, "\"} ");
    const std::size_t at = text.find(series);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size()));
  }
  bool Becomes(const std::string& name, const std::string& channel, const std::string& account, double value) {
    return WaitUntil([&] { return Figure(name, channel, account) == value; }, seconds(15));
  }
  std::string Log() const {
    std::ifstream file(dir_.File("exporter.log"));
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  harness::TempDir dir_;
  telemetry::Registry metrics_;
  std::unique_ptr<http::Client> client_;
  fake_channel_api::Options graph_options_;
  std::unique_ptr<fake_channel_api::App> graph_;
  std::unique_ptr<harness::ChildProcess> exporter_;
  std::uint16_t admin_port_ = 0;
};

TEST_F(AccountWatchProcessTest, ATokenDiesAndComesBackAndQualityFalls) {
  StartExporter();
  ASSERT_TRUE(Becomes("token_valid", "whatsapp", kNumber, 1)) << Log();
  EXPECT_TRUE(Becomes("quality", "whatsapp", kNumber, 1)) << Log();
  EXPECT_TRUE(Becomes("messaging_limit_users", "whatsapp", kNumber, 2000));
  Control(kNumber, R"({"token_expired":true})");
  ASSERT_TRUE(Becomes("token_valid", "whatsapp", kNumber, 0)) << Log();
  EXPECT_TRUE(Becomes("token_valid", "messenger", kPage, 1)) << "the other account's lives";
  EXPECT_THAT(Log(), HasSubstr("account_poll_failed"));
  EXPECT_THAT(Log(), testing::Not(HasSubstr("whatsapp-secret"))) << "no secret is ever logged";
  Control(kNumber, R"({"token_expired":false,"quality_rating":"RED","status":"RESTRICTED"})");
  ASSERT_TRUE(Becomes("quality", "whatsapp", kNumber, 3)) << Log();
  EXPECT_TRUE(Becomes("state", "whatsapp", kNumber, 4));
  EXPECT_TRUE(Becomes("up", "whatsapp", kNumber, 1));
}

TEST_F(AccountWatchProcessTest, AnUnsubscribedAppIsSubscribedAgainWhereThatIsAllowed) {
  WriteAccounts("subscription_repair: false");
  StartExporter();
  ASSERT_TRUE(Becomes("subscribed", "whatsapp", kNumber, 1)) << Log();
  ASSERT_TRUE(Becomes("subscribed", "messenger", kPage, 1)) << Log();
  Control(kPage, R"({"subscribed":false})");
  Control(kNumber, R"({"subscribed":false})");
  ASSERT_TRUE(Becomes("subscribed", "messenger", kPage, 0)) << Log();
  ASSERT_TRUE(Becomes("subscription_repairs_total", "whatsapp", kNumber, 1)) << Log();
  EXPECT_TRUE(Becomes("subscribed", "whatsapp", kNumber, 1));
  EXPECT_THAT(Control(kNumber, "{}"), HasSubstr(R"("subscribed":true,"subscriptions":1)"));
  EXPECT_THAT(Control(kPage, "{}"), HasSubstr(R"("subscribed":false,"subscriptions":0)"));
  EXPECT_THAT(Log(), HasSubstr("account_subscription_repair"));
}

TEST_F(AccountWatchProcessTest, AMistakeInTheAccountsFileEndsTheStart) {
  std::ofstream(dir_.File("accounts.yaml")) << "accounts: [7]\n";
  StartExporter();
  EXPECT_TRUE(WaitUntil([&] { return !exporter_->IsRunning(); }, seconds(10)));
  EXPECT_THAT(Log(), HasSubstr("accounts.yaml:1"));
}

}  // namespace
}  // namespace exporter
