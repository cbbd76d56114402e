#include "services/meshctl/session_calls.h"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>

namespace meshctl {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(UntilAnsweredTest, ASessionThatIsAwayOrBusyIsAskedAgain) {
  std::deque<absl::Status> answers = {absl::UnavailableError("away"), absl::DeadlineExceededError("slow"),
                                      absl::ResourceExhaustedError("busy"), absl::AbortedError("another came between"),
                                      absl::OkStatus()};
  const absl::Status status = UntilAnswered(
      [&] {
        absl::Status next = answers.front();
        answers.pop_front();
        return next;
      },
      seconds(60));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE(answers.empty());
}

TEST(UntilAnsweredTest, WhatIsRefusedForGoodIsAskedOnce) {
  int calls = 0;
  const absl::Status status = UntilAnswered(
      [&] {
        ++calls;
        return absl::InvalidArgumentError("no such channel");
      },
      seconds(60));
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(calls, 1);
}

TEST(UntilAnsweredTest, PatienceEndsWithTheLastError) {
  int calls = 0;
  const absl::Status status = UntilAnswered(
      [&] {
        ++calls;
        return absl::ResourceExhaustedError("busy");
      },
      milliseconds(100));
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(calls, 2) << "at once, and after the pause, which is longer";
}

}  // namespace
}  // namespace meshctl
