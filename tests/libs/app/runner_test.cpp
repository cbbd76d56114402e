#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

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

Health Healthy() {
  return {.alive = [] { return true; }, .ready = [] { return absl::OkStatus(); }};
}

TEST(RunnerTest, AStopRequestDrainsOnceAndEndsWithZero) {
  const int status = InChild([] {
    Runner runner("test", {});
    int drains = 0;
    runner.RequestStop("test");
    const int code = runner.WaitAndDrain([&] { ++drains; });
    return drains == 1 ? code : 9;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(RunnerTest, ASecondSignalEndsAStuckDrainAtOnce) {
  const int status = InChild([] {
    Runner runner("test", {});
    runner.RequestStop("first");
    return runner.WaitAndDrain([&] {
      runner.RequestStop("second");
      for (;;) pause();
    });
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

TEST(RunnerTest, TheDrainDeadlineEndsAStuckDrain) {
  const int status = InChild([] {
    CommonOptions options;
    options.drain_deadline_s = 1;
    Runner runner("test", options);
    runner.RequestStop("test");
    return runner.WaitAndDrain([] {
      for (;;) pause();
    });
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1);
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

}  // namespace
}  // namespace app
