#include "libs/bus/topic_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "tests/integration/harness/wait.h"

namespace bus {
namespace {

using harness::WaitUntil;
using std::chrono::milliseconds;

constexpr TopicCheckTimes kFast{.retry_initial = milliseconds(1), .retry_max = milliseconds(2)};

int CountOf(std::string_view text, std::string_view part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(TopicCheckTest, RetriesUntilTheCheckSucceedsAndThenRests) {
  std::atomic<int> calls{0};
  TopicCheck check([&] { return ++calls < 3 ? absl::UnavailableError("broker down") : absl::OkStatus(); }, kFast);
  EXPECT_TRUE(WaitUntil([&] { return check.status().ok(); }));
  EXPECT_EQ(calls, 3);
  check.Stop();
  EXPECT_EQ(calls, 3);
  EXPECT_TRUE(check.status().ok());
}

TEST(TopicCheckTest, SaysWhatTheLastCheckSaidAndStopsPromptly) {
  TopicCheck check([] { return absl::FailedPreconditionError("partitions is 3, wanted 12"); },
                   {.retry_initial = std::chrono::hours(1), .retry_max = std::chrono::hours(1)});
  EXPECT_TRUE(WaitUntil([&] { return check.status().code() == absl::StatusCode::kFailedPrecondition; }));
  check.Stop();  // does not wait an hour
}

// A broker that is away for an hour must not fill the log.
TEST(TopicCheckTest, LogsWhatChangesAndNotTheSameFailureAgain) {
  std::atomic<int> calls{0};
  testing::internal::CaptureStderr();
  {
    TopicCheck check(
        [&] {
          const int call = ++calls;
          if (call > 40) return absl::OkStatus();
          return call <= 20 ? absl::UnavailableError("broker down") : absl::UnavailableError("topic is not there yet");
        },
        kFast);
    EXPECT_TRUE(WaitUntil([&] { return check.status().ok(); }));
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_EQ(calls, 41);
  EXPECT_EQ(CountOf(log, "broker down"), 1) << log;
  EXPECT_EQ(CountOf(log, "topic is not there yet"), 1) << log;
  EXPECT_EQ(CountOf(log, "\"event\":\"topics_ready\""), 1) << log;
}

TEST(TopicCheckTest, WithoutABrokerNothingFollows) {
  BusOptions nobody;
  nobody.brokers = "127.0.0.1:1";
  std::atomic<bool> followed{false};
  TopicCheckTimes times = kFast;
  times.patience = milliseconds(100);
  TopicCheck check(nobody, times, [&](std::int32_t) {
    followed = true;
    return absl::OkStatus();
  });
  EXPECT_TRUE(WaitUntil([&] { return check.status().message().find("127.0.0.1:1") != absl::string_view::npos; }));
  check.Stop();
  EXPECT_FALSE(followed);
}

}  // namespace
}  // namespace bus
