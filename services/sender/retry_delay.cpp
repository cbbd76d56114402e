#include "services/sender/retry_delay.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "libs/base/backoff.h"

namespace sender {
namespace {

constexpr base::Duration kInitial = std::chrono::milliseconds(500);
constexpr base::Duration kMax = std::chrono::seconds(30);
constexpr base::Duration kLongest = std::chrono::minutes(5);

base::Duration PairRateDelay(int attempt) {
  const int exponent = std::clamp(attempt - 1, 0, 5);  // 4^5 s is beyond kLongest already
  return std::chrono::seconds(std::int64_t{1} << (2 * exponent));
}

base::Duration Asked(std::string_view retry_after) {
  std::int64_t seconds = 0;
  const char* end = retry_after.data() + retry_after.size();
  const auto [stop, error] = std::from_chars(retry_after.data(), end, seconds);
  if (error != std::errc{} || stop != end || seconds < 0) return {};
  return std::chrono::seconds(std::min<std::int64_t>(seconds, 300));
}

}  // namespace

RetryDelay DelayAfterRefusal(channel::BackoffScope scope, int attempt, std::string_view retry_after,
                             std::uint64_t seed) {
  RetryDelay result;
  result.delay = scope == channel::BackoffScope::kUser ? PairRateDelay(attempt)
                                                       : base::BackoffDelay(attempt, kInitial, kMax, seed);
  result.delay = std::min(std::max(result.delay, Asked(retry_after)), kLongest);
  result.whole_account = scope == channel::BackoffScope::kAccount;
  return result;
}

}  // namespace sender
