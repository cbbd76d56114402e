#include "libs/base/may_retry.h"

#include <gtest/gtest.h>

#include <set>

namespace base {
namespace {

TEST(MayRetryTest, FourCodesAreWorthAnotherTry) {
  const std::set<absl::StatusCode> retryable = {absl::StatusCode::kUnavailable, absl::StatusCode::kDeadlineExceeded,
                                                absl::StatusCode::kResourceExhausted, absl::StatusCode::kAborted};
  for (int number = 0; number <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++number) {
    const auto code = static_cast<absl::StatusCode>(number);
    EXPECT_EQ(MayRetry(absl::Status(code, "why")), retryable.contains(code)) << absl::StatusCodeToString(code);
  }
}

}  // namespace
}  // namespace base
