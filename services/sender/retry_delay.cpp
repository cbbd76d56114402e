#include "services/sender/retry_delay.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "libs/base/backoff.h"

namespace sender {
namespace {

constexpr base::Duration kInitial = std::chrono::milliseconds(500);
constexpr base::Duration kMax = std::chrono::seconds(30);
constexpr base::Duration kLongest = std::chrono::minutes(5);
constexpr std::int32_t kPairRate = 131056;
// App, number and call rates, and the quality limit.
constexpr std::array<std::int32_t, 8> kAccountLimits = {4, 17, 32, 613, 80007, 130429, 131048, 133016};

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

RetryDelay DelayAfterRefusal(int http_status, std::int32_t error_code, int attempt, std::string_view retry_after,
                             std::uint64_t seed) {
  RetryDelay result;
  result.delay = error_code == kPairRate ? PairRateDelay(attempt) : base::BackoffDelay(attempt, kInitial, kMax, seed);
  result.delay = std::min(std::max(result.delay, Asked(retry_after)), kLongest);
  result.whole_account = std::find(kAccountLimits.begin(), kAccountLimits.end(), error_code) != kAccountLimits.end() ||
                         (http_status == 429 && error_code != kPairRate);
  return result;
}

}  // namespace sender
