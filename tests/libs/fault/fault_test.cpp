#include "libs/fault/fault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <set>
#include <string>

namespace fault {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

absl::Status ArmWith(const std::string& value) {
  setenv(kVariable, value.c_str(), 1);
  absl::Status status = ArmFromEnvironment();
  unsetenv(kVariable);
  return status;
}

// A child that passes `worker_generated` `passes` times and then ends with code 7.
pid_t ForkPasser(int passes) {
  const pid_t child = fork();
  if (child != 0) return child;
  for (int i = 0; i < passes; ++i) Here("worker_generated");
  _exit(7);
}

int WaitFor(pid_t child, int flags = 0) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, flags), child);
  return status;
}

class FaultTest : public testing::Test {
 protected:
  ~FaultTest() override { EXPECT_TRUE(ArmWith("").ok()); }
};

TEST_F(FaultTest, WithoutTheVariableNothingHappens) {
  ASSERT_TRUE(ArmWith("").ok());
  EXPECT_EQ(ArmedPoint(), "");
  const int status = WaitFor(ForkPasser(100));
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST_F(FaultTest, KillsAtTheNthPassAndNotBefore) {
  ASSERT_TRUE(ArmWith("worker_generated:kill:3").ok());
  EXPECT_EQ(ArmedPoint(), "worker_generated");
  EXPECT_TRUE(WIFEXITED(WaitFor(ForkPasser(2))));
  const int status = WaitFor(ForkPasser(3));
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST_F(FaultTest, ATextConcernsOnlyWorkThatHoldsIt) {
  ASSERT_TRUE(ArmWith("worker_engine_step:kill:text=poison: 7").ok()) << "a colon belongs to the text";
  EXPECT_TRUE(Concerns("worker_engine_step", "this is poison: 7!"));
  EXPECT_FALSE(Concerns("worker_engine_step", "this is poison"));
  EXPECT_FALSE(Concerns("worker_generated", "this is poison: 7!")) << "another point";
  EXPECT_FALSE(ArmWith("worker_engine_step:kill:text=").ok());
  ASSERT_TRUE(ArmWith("worker_engine_step:kill").ok());
  EXPECT_TRUE(Concerns("worker_engine_step", "any text"));
  ASSERT_TRUE(ArmWith("").ok());
  EXPECT_FALSE(Concerns("worker_engine_step", "any text"));
}

TEST_F(FaultTest, OtherPointsPass) {
  ASSERT_TRUE(ArmWith("worker_reply_written:kill").ok());
  EXPECT_TRUE(WIFEXITED(WaitFor(ForkPasser(10))));
}

TEST_F(FaultTest, StopsUntilContinued) {
  ASSERT_TRUE(ArmWith("worker_generated:stop").ok());
  const pid_t child = ForkPasser(2);
  ASSERT_TRUE(WIFSTOPPED(WaitFor(child, WUNTRACED)));
  ASSERT_EQ(kill(child, SIGCONT), 0);
  const int status = WaitFor(child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST_F(FaultTest, DelaysFromTheNthPassOn) {
  ASSERT_TRUE(ArmWith("worker_generated:delay_ms=40:2").ok());
  const auto began = steady_clock::now();
  Here("worker_generated");
  const auto first = steady_clock::now();
  EXPECT_LT(first - began, milliseconds(40));
  Here("worker_generated");
  Here("worker_generated");
  EXPECT_GE(steady_clock::now() - first, milliseconds(80));
}

TEST_F(FaultTest, WhatItCannotReadIsRefusedAndArmsNothing) {
  for (const char* value : {"no_such_point:kill", "worker_generated", "worker_generated:", "worker_generated:maim",
                            "worker_generated:kill:0", "worker_generated:kill:x", "worker_generated:kill:1:2",
                            "worker_generated:delay_ms=", "worker_generated:delay_ms=9999999", ":kill"}) {
    const absl::Status status = ArmWith(value);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << value;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("MESH_FAULT")) << value;
    EXPECT_EQ(ArmedPoint(), "") << value;
  }
}

TEST(FaultPointsTest, NamesAreUniqueAndBeginWithTheirService) {
  std::set<std::string_view> names;
  for (const PointSpec& point : kPoints) {
    EXPECT_TRUE(names.insert(point.name).second) << point.name;
    EXPECT_TRUE(point.name.starts_with(std::string(point.service) + "_")) << point.name;
    EXPECT_FALSE(point.where.empty()) << point.name;
  }
}

}  // namespace
}  // namespace fault
