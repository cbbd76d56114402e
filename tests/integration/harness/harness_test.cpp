#include <gtest/gtest.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/integration/harness/child_process.h"
#include "tests/integration/harness/net.h"
#include "tests/integration/harness/redis_server.h"
#include "tests/integration/harness/temp_dir.h"
#include "tests/integration/harness/wait.h"

namespace harness {
namespace {

using std::chrono::seconds;

TEST(ChildProcessTest, GivesExitStatusAndOutput) {
  const TempDir dir;
  const ChildOptions options{.command = {"sh", "-c", "echo \"$GREETING\"; exit 3"},
                             .log_path = dir.File("log"),
                             .environment = {{"GREETING", "hello"}}};
  const absl::StatusOr<int> exit_status = RunToEnd(options, seconds(10));
  ASSERT_TRUE(exit_status.ok()) << exit_status.status();
  EXPECT_EQ(*exit_status, 3);
  std::ifstream log(dir.File("log"));
  std::string line;
  std::getline(log, line);
  EXPECT_EQ(line, "hello");
}

TEST(ChildProcessTest, AMissingProgramIsNotFound) {
  const auto child = ChildProcess::Start({.command = {"no-such-program"}, .log_path = "", .environment = {}});
  EXPECT_TRUE(absl::IsNotFound(child.status())) << child.status();
}

TEST(ChildProcessTest, ACommandThatDoesNotEndIsKilledAtItsDeadline) {
  const absl::StatusOr<int> result =
      RunToEnd({.command = {"sleep", "100"}, .log_path = "", .environment = {}}, std::chrono::milliseconds(50));
  EXPECT_TRUE(absl::IsDeadlineExceeded(result.status()));
}

TEST(ChildProcessTest, IsStoppedByItsDestructor) {
  pid_t pid = 0;
  {
    auto child = ChildProcess::Start({.command = {"sleep", "100"}, .log_path = "", .environment = {}});
    ASSERT_TRUE(child.ok());
    pid = (*child)->pid();
    EXPECT_TRUE((*child)->IsRunning());
  }
  EXPECT_NE(kill(pid, 0), 0);
}

// Goal: a test that is killed leaves no broker behind.
// Method: a shell that stands for the test is killed; its own child must go too. The shell's child is started by this
// library in a helper process made by fork.
TEST(ChildProcessTest, DiesWithTheTestThatStartedIt) {
  const TempDir dir;
  const pid_t test = fork();
  ASSERT_GE(test, 0);
  if (test == 0) {
    auto child = ChildProcess::Start({.command = {"sleep", "100"}, .log_path = "", .environment = {}});
    std::ofstream(dir.File("pid.new")) << (child.ok() ? (*child)->pid() : 0) << "\n";
    std::filesystem::rename(dir.File("pid.new"), dir.File("pid"));
    pause();
    _exit(0);
  }
  ASSERT_TRUE(WaitUntil([&dir] { return std::filesystem::exists(dir.File("pid")); }));
  pid_t child_pid = 0;
  std::ifstream(dir.File("pid")) >> child_pid;
  ASSERT_GT(child_pid, 0);
  EXPECT_EQ(kill(child_pid, 0), 0);
  kill(test, SIGKILL);
  waitpid(test, nullptr, 0);
  // Whoever adopts the child may leave it as a zombie for a moment, which kill(pid, 0) still finds.
  EXPECT_TRUE(WaitUntil([child_pid] {
    std::ifstream stat("/proc/" + std::to_string(child_pid) + "/stat");
    std::string pid, name, state;
    return !(stat >> pid >> name >> state) || state == "Z" || state == "X";
  }));
}

TEST(FreePortTest, PortsDifferAndNothingListensThere) {
  const std::uint16_t a = FreePort();
  const std::uint16_t b = FreePort();
  EXPECT_NE(a, b);
  EXPECT_TRUE(absl::IsUnavailable(AskPort(a, "x", 1, seconds(1)).status()));
}

TEST(RedisServerTest, KeepsPortAndDataOverAKillAndLosesThemOnDemand) {
  auto server = RedisServer::StartNew();
  ASSERT_TRUE(server.ok()) << server.status();
  const std::uint16_t port = (*server)->port();
  ASSERT_EQ(AskPort(port, "SET a 1\r\n", 5, seconds(5)).value(), "+OK\r\n");
  (*server)->Kill();
  EXPECT_TRUE(absl::IsUnavailable(AskPort(port, "PING\r\n", 5, seconds(1)).status()));
  ASSERT_TRUE((*server)->Start().ok());
  EXPECT_EQ((*server)->port(), port);
  EXPECT_EQ(AskPort(port, "GET a\r\n", 7, seconds(5)).value(), "$1\r\n1\r\n");

  (*server)->Pause();
  EXPECT_TRUE(absl::IsUnavailable(AskPort(port, "PING\r\n", 5, std::chrono::milliseconds(200)).status()));
  (*server)->Resume();
  EXPECT_EQ(AskPort(port, "PING\r\n", 7, seconds(5)).value(), "+PONG\r\n");

  (*server)->Stop();
  ASSERT_TRUE((*server)->StartEmpty().ok());
  EXPECT_EQ(AskPort(port, "GET a\r\n", 5, seconds(5)).value(), "$-1\r\n");
}

}  // namespace
}  // namespace harness
