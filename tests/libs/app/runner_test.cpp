#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>

#include "libs/app/app.h"
#include "libs/http/server.h"

namespace app {
namespace {

// Runs `body` in a child process of its own, because a runner owns the process's signals; returns the wait status.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

// The whole answer of GET `path`, or "" when nobody listens.
std::string Get(std::uint16_t port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    char buffer[4096];
    for (ssize_t got = 0; (got = recv(fd, buffer, sizeof buffer, 0)) > 0;) {
      answer.append(buffer, static_cast<std::size_t>(got));
    }
  }
  close(fd);
  return answer;
}

bool Has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

Health Healthy() {
  return {.alive = [] { return true; }, .ready = [] { return absl::OkStatus(); }};
}

TEST(RunnerTest, AStopRequestDrainsOnceAndEndsWithZero) {
  const int status = InChild([] {
    Runner runner("test", {});
    int drains = 0;
    runner.RequestStop("test");
    const int code = runner.WaitAndDrain([&](base::MonotonicTime) { ++drains; });
    return drains == 1 ? code : 9;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(RunnerTest, ASecondSignalEndsAStuckDrainAtOnce) {
  const int status = InChild([] {
    Runner runner("test", {});
    runner.RequestStop("first");
    return runner.WaitAndDrain([](base::MonotonicTime) {
      kill(getpid(), SIGTERM);
      for (;;) pause();
    });
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

TEST(RunnerTest, TwoPartsThatAskForAStopDoNotCutTheDrainShort) {
  const int status = InChild([] {
    Runner runner("test", {});
    runner.RequestStop("first");
    runner.RequestStop("second");
    return runner.WaitAndDrain([&](base::MonotonicTime) {
      runner.RequestStop("third");
      // A second signal would end the process at the watchdog's next look, within 50 ms.
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    });
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(RunnerTest, AThreadDoesNotTakeTheSignalAndSigpipeIsIgnored) {
  const int status = InChild([] {
    Runner runner("test", {});
    std::thread other([] {
      for (int i = 0; i < 100; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
    raise(SIGPIPE);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGINT);  // the second signal
    other.join();
    return runner.WaitAndDrain([](base::MonotonicTime) {
      for (;;) pause();
    });
  });
  ASSERT_TRUE(WIFEXITED(status)) << "the process died of a signal";
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

TEST(RunnerTest, TheDrainDeadlineEndsAStuckDrain) {
  const int status = InChild([] {
    CommonOptions options;
    options.drain_deadline_s = 1;
    Runner runner("test", options);
    runner.RequestStop("test");
    return runner.WaitAndDrain([](base::MonotonicTime) {
      for (;;) pause();
    });
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

// A start may take long, and the signal come in it: the drain has what is left, not the whole time anew.
TEST(RunnerTest, TheDrainIsToldTheDeadlineThatBeganWithTheSignal) {
  const int status = InChild([] {
    CommonOptions options;
    options.drain_deadline_s = 60;
    Runner runner("test", options);
    if (!runner.StartAdmin(Healthy()).ok()) return 2;
    const base::MonotonicTime before = base::Clock::Real().Now();
    runner.RequestStop("test");
    while (!Has(Get(runner.admin_port(), "/readyz"), "draining")) std::this_thread::yield();  // the rest of a start
    const base::MonotonicTime started = base::Clock::Real().Now();
    bool right = false;
    const int code = runner.WaitAndDrain([&](base::MonotonicTime deadline) {
      right = deadline >= before + std::chrono::seconds(60) && deadline < started + std::chrono::seconds(60);
    });
    return right ? code : 9;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// Runs `body` with a drain deadline of 1 s and a log file; the last line of the log.
std::string LastLineOf(const std::function<int(Runner&)>& body) {
  char path[] = "/tmp/mesh_runner_XXXXXX";
  close(mkstemp(path));
  const int status = InChild([&] {
    CommonOptions options;
    options.drain_deadline_s = 1;
    options.log_path = path;
    Runner runner("test", options);
    runner.RequestStop("test");
    return body(runner);
  });
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
  std::ifstream file(path);
  std::string last;
  for (std::string line; std::getline(file, line);) last = line;
  unlink(path);
  return last;
}

[[noreturn]] void Stick() {
  for (;;) pause();
}

TEST(RunnerTest, TheDeadlineCoversStartDrainAndTheEndOfThePartsAndSaysWhatIsStuck) {
  EXPECT_TRUE(Has(LastLineOf([](Runner&) -> int { Stick(); }), "\"waited_for\":\"start\""));
  const std::string drain = LastLineOf([](Runner& runner) {
    return runner.WaitAndDrain([&](base::MonotonicTime) {
      runner.WaitsFor("the consumer group");
      Stick();
    });
  });
  EXPECT_TRUE(Has(drain, "\"event\":\"drain_cut_short\"")) << drain;
  EXPECT_TRUE(Has(drain, "\"waited_for\":\"the consumer group\"")) << drain;
  const std::string after = LastLineOf([](Runner& runner) {
    runner.WaitAndDrain([](base::MonotonicTime) {});
    Stick();
    return 0;
  });
  EXPECT_TRUE(Has(after, "\"waited_for\":\"the end of the service's parts\"")) << after;
}

TEST(RunnerTest, ATakenAdminPortIsAnErrorThatNamesTheOption) {
  const int status = InChild([] {
    telemetry::Registry metrics;
    const auto taken = http::Server::Create({}, "other", metrics);
    if (!taken.ok() || !(*taken)->Start().ok()) return 2;
    CommonOptions options;
    options.admin_port = (*taken)->port();
    Runner runner("test", options);
    const absl::Status started = runner.StartAdmin(Healthy());
    return !started.ok() && started.message().find("--admin-port") != absl::string_view::npos ? 0 : 3;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(RunnerTest, AFailedStartIsLoggedAndGivesOne) {
  char path[] = "/tmp/mesh_runner_XXXXXX";
  close(mkstemp(path));
  const int status = InChild([&] {
    CommonOptions options;
    options.log_path = path;
    Runner runner("test", options);
    return runner.StartFailed(absl::NotFoundError("no model here"));
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
  std::ifstream file(path);
  const std::string log((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_NE(log.find("\"event\":\"starting\""), std::string::npos) << log;
  EXPECT_NE(log.find("\"event\":\"start_failed\",\"error\":\"no model here\""), std::string::npos) << log;
  unlink(path);
}

TEST(RunnerTest, ALogFileThatCannotBeOpenedEndsTheProcess) {
  const int status = InChild([] {
    CommonOptions options;
    options.log_path = "/does/not/exist/log";
    Runner runner("test", options);
    return 0;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

// What Kubernetes and Prometheus see. Each check names itself by the child's exit code.
TEST(RunnerTest, TheAdminPortTellsHealthReadinessAndMetrics) {
  const int status = InChild([] {
    Runner runner("test", {});
    std::atomic<bool> alive{true};
    Readiness ready = absl::UnavailableError("waiting for the broker");
    const Health health{.alive = [&] { return alive.load(); }, .ready = [&] { return ready; }};
    if (!runner.StartAdmin(health).ok()) return 2;
    const std::uint16_t port = runner.admin_port();
    if (!Has(Get(port, "/healthz"), "HTTP/1.1 200")) return 3;
    const std::string not_ready = Get(port, "/readyz");
    if (!Has(not_ready, "HTTP/1.1 503") || !Has(not_ready, "waiting for the broker")) return 4;
    ready = absl::OkStatus();
    if (!Has(Get(port, "/readyz"), "HTTP/1.1 200")) return 5;
    ready = Readiness::Degraded("session is away");
    const std::string degraded = Get(port, "/readyz");
    if (!Has(degraded, "HTTP/1.1 200") || !Has(degraded, "degraded: session is away")) return 12;
    alive = false;
    if (!Has(Get(port, "/healthz"), "HTTP/1.1 503")) return 6;
    const std::string metrics = Get(port, "/metrics");
    if (!Has(metrics, "text/plain; version=0.0.4")) return 7;
    if (!Has(metrics, "test_log_lines_dropped_total 0") || !Has(metrics, "test_build_info{")) return 8;
    if (!Has(Get(port, "/secrets"), "HTTP/1.1 404")) return 9;

    runner.RequestStop("test");
    bool refuses_work = false;
    const int code = runner.WaitAndDrain([&](base::MonotonicTime) {
      alive = true;
      refuses_work = Has(Get(port, "/readyz"), "draining") && Has(Get(port, "/healthz"), "HTTP/1.1 200");
    });
    if (!refuses_work) return 10;
    if (!Get(port, "/healthz").empty()) return 11;  // closed before WaitAndDrain returned
    return code;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace app
