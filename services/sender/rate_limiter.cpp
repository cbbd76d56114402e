#include "services/sender/rate_limiter.h"

#include <algorithm>
#include <chrono>

#include "libs/base/check.h"

namespace sender {

RateLimiter::RateLimiter(std::size_t buckets_max) : buckets_max_(buckets_max) { CHECK(buckets_max > 0); }

void RateLimiter::SetAccountShare(double share) {
  CHECK(share > 0 && share <= 1);
  account_share_ = share;
}

base::MonotonicTime RateLimiter::Reserve(base::MonotonicTime now, const std::string& account,
                                         const RateLimit& account_limit, const std::string& user,
                                         const RateLimit& user_limit) {
  const RateLimit share{account_limit.rate_per_s * account_share_, account_limit.burst * account_share_};
  const base::MonotonicTime account_at = Take(Touch(accounts_, account, now, share.burst), now, share);
  const base::MonotonicTime user_at = Take(Touch(users_, user, now, user_limit.burst), now, user_limit);
  return std::max({account_at, user_at, HeldUntil(account)});
}

std::size_t RateLimiter::UserSendsUntil(base::MonotonicTime now, const std::string& user, const RateLimit& limit,
                                        base::MonotonicTime until) const {
  constexpr double kMany = 1e6;
  if (limit.rate_per_s <= 0) return static_cast<std::size_t>(kMany);
  const double burst = std::max(limit.burst, 1.0);
  double tokens = burst;
  if (const auto found = users_.entries.find(user); found != users_.entries.end()) {
    const double elapsed_s =
        base::ToSeconds(std::max(base::Duration::zero(), base::Duration(now - found->second.refilled_at)));
    tokens = std::min(burst, found->second.tokens + elapsed_s * limit.rate_per_s);
  }
  tokens += base::ToSeconds(std::max(base::Duration::zero(), base::Duration(until - now))) * limit.rate_per_s;
  return static_cast<std::size_t>(std::clamp(tokens, 0.0, kMany));
}

void RateLimiter::Hold(const std::string& account, base::MonotonicTime until) {
  const auto found = accounts_.entries.find(account);
  if (found != accounts_.entries.end()) found->second.held_until = std::max(found->second.held_until, until);
}

base::MonotonicTime RateLimiter::HeldUntil(const std::string& account) const {
  const auto found = accounts_.entries.find(account);
  return found == accounts_.entries.end() ? base::MonotonicTime{} : found->second.held_until;
}

RateLimiter::Bucket& RateLimiter::Touch(Buckets& buckets, const std::string& name, base::MonotonicTime now,
                                        double initial_tokens) {
  auto found = buckets.entries.find(name);
  if (found != buckets.entries.end()) {
    buckets.by_recency.splice(buckets.by_recency.end(), buckets.by_recency, found->second.recency);
    return found->second;
  }
  if (buckets.entries.size() >= buckets_max_) {
    buckets.entries.erase(buckets.by_recency.front());
    buckets.by_recency.pop_front();
  }
  buckets.by_recency.emplace_back(name);
  Bucket bucket;
  bucket.tokens = initial_tokens;
  bucket.refilled_at = now;
  bucket.recency = std::prev(buckets.by_recency.end());
  return buckets.entries.emplace(name, bucket).first->second;
}

base::MonotonicTime RateLimiter::Take(Bucket& bucket, base::MonotonicTime now, const RateLimit& limit) {
  if (limit.rate_per_s <= 0) return now;
  const double elapsed_s = base::ToSeconds(std::max(base::Duration::zero(), base::Duration(now - bucket.refilled_at)));
  bucket.tokens = std::min(std::max(limit.burst, 1.0), bucket.tokens + elapsed_s * limit.rate_per_s);
  bucket.refilled_at = now;
  bucket.tokens -= 1;
  if (bucket.tokens >= 0) return now;
  return now +
         std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(-bucket.tokens / limit.rate_per_s));
}

}  // namespace sender
