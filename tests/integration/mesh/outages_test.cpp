// Peers and processes go away in the middle of work and come back: nothing is lost, nothing is said twice, and no
// process needs a restart to recover.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/harness/wait.h"
#include "tests/integration/mesh/mesh.h"

namespace mesh_test {
namespace {

constexpr auto kRecovery = std::chrono::seconds(60);

// The first digits of phone numbers that no other test uses.
std::string NewPhonePrefix() {
  static int next = 100;
  return absl::StrCat("49151", next++, "00");
}

// Every user of `prefix` has seen exactly the answer to each of its messages, in order.
void ExpectEachAnsweredOnce(Mesh& mesh, const std::string& prefix, int users, int messages) {
  for (int user = 0; user < users; ++user) {
    const std::string name = absl::StrCat(prefix, user);
    const std::vector<Send> screen = mesh.WaitForScreen(name, static_cast<std::size_t>(messages), kRecovery);
    ASSERT_EQ(screen.size(), static_cast<std::size_t>(messages)) << name << "\n" << mesh.LogEnds();
    for (int message = 0; message < messages; ++message) {
      EXPECT_NE(screen[static_cast<std::size_t>(message)].text.find(absl::StrCat("canary-", message, ".")),
                std::string::npos)
          << name << ": " << screen[static_cast<std::size_t>(message)].text;
    }
  }
}

// Posts until the gateway takes it, as Meta would.
void PostUntilTaken(Mesh& mesh, const std::string& user, int message) {
  ASSERT_TRUE(harness::WaitUntil(
      [&] {
        return mesh.PostText("whatsapp", user, absl::StrCat("wamid.", user, ".", message),
                             absl::StrCat("canary-", message, ".")) == 200;
      },
      kRecovery));
}

struct Outage {
  const char* service;
  int signal;
};

class RestartTest : public testing::TestWithParam<Outage> {};

TEST_P(RestartTest, AServiceThatEndsInTheMiddleLosesNothing) {
  Mesh& mesh = SharedMesh();
  const auto& [service, signal] = GetParam();
  const std::string prefix = NewPhonePrefix();
  constexpr int kUsers = 6;
  for (int user = 0; user < kUsers; ++user) PostUntilTaken(mesh, absl::StrCat(prefix, user), 0);
  mesh.process(service).Signal(signal);
  ASSERT_TRUE(
      mesh.process(service).WaitForExit(std::chrono::steady_clock::now() + std::chrono::seconds(40)).has_value())
      << service << " did not end on signal " << signal << "\n"
      << mesh.LogText(service);
  if (std::string_view(service) != "gateway") {
    for (int user = 0; user < kUsers; ++user) PostUntilTaken(mesh, absl::StrCat(prefix, user), 1);
  }
  ASSERT_TRUE(mesh.Restart(service).ok());
  ASSERT_TRUE(mesh.WaitReady(service).ok()) << mesh.LogText(service);
  if (std::string_view(service) == "gateway") {
    for (int user = 0; user < kUsers; ++user) PostUntilTaken(mesh, absl::StrCat(prefix, user), 1);
  }
  ExpectEachAnsweredOnce(mesh, prefix, kUsers, 2);
}

INSTANTIATE_TEST_SUITE_P(Services, RestartTest,
                         testing::Values(Outage{"gateway", SIGKILL}, Outage{"gateway", SIGTERM},
                                         Outage{"worker", SIGKILL}, Outage{"worker", SIGTERM},
                                         Outage{"session", SIGKILL}, Outage{"session", SIGTERM},
                                         Outage{"sender", SIGKILL}, Outage{"sender", SIGTERM}),
                         [](const testing::TestParamInfo<Outage>& outage) {
                           return absl::StrCat(outage.param.service,
                                               outage.param.signal == SIGKILL ? "Killed" : "Terminated");
                         });

TEST(OutageTest, RedisDownWebhooksAreTakenAndTurnsWait) {
  Mesh& mesh = SharedMesh();
  const std::string prefix = NewPhonePrefix();
  mesh.redis().Kill();
  PostUntilTaken(mesh, prefix + "0", 0);
  EXPECT_TRUE(harness::WaitUntil([&] { return !mesh.IsReady("session"); })) << "session must say that it cannot work";
  EXPECT_TRUE(mesh.IsReady("gateway")) << "the gateway needs only the broker";
  EXPECT_TRUE(harness::WaitUntil([&] {
    return mesh.Get(mesh.AdminUrl("worker") + "/readyz").starts_with("degraded: ");
  })) << "the worker keeps its turns: it is neither ready nor to be replaced";
  EXPECT_TRUE(mesh.Screen(prefix + "0").empty());

  ASSERT_TRUE(mesh.redis().Start().ok());
  ExpectEachAnsweredOnce(mesh, prefix, 1, 1);
  EXPECT_TRUE(mesh.WaitReady("session").ok());
}

TEST(OutageTest, BrokerDownTheGatewayRefusesAndRecoversByItself) {
  Mesh& mesh = SharedMesh();
  const std::string user = NewPhonePrefix() + "0";
  mesh.kafka().Kill();
  EXPECT_EQ(mesh.PostText("whatsapp", user, absl::StrCat("wamid.", user, ".0"), "canary-0."), 503);
  EXPECT_TRUE(harness::WaitUntil([&] { return !mesh.IsReady("gateway"); })) << "readiness must say so";

  ASSERT_TRUE(mesh.kafka().Start().ok());
  PostUntilTaken(mesh, user, 0);  // the same message again, as Meta does
  ExpectEachAnsweredOnce(mesh, user.substr(0, user.size() - 1), 1, 1);
  for (const char* service : {"gateway", "worker", "sender"}) EXPECT_TRUE(mesh.WaitReady(service).ok()) << service;
}

}  // namespace
}  // namespace mesh_test
