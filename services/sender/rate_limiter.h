#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "libs/base/clock.h"

namespace sender {

// One token bucket: `rate_per_s` tokens a second, at most `burst`.
struct RateLimit {
  double rate_per_s = 1;
  double burst = 1;
};

// Token buckets per account and per user (channels.md 3.3: a number's throughput and the pair rate), by reservation: a
// caller is told when it may send and its token is taken at once, so that many waiting lanes neither poll nor race.
//
// Bounds: at most `buckets_max` buckets of each kind; the least recently used one is forgotten, which at worst gives
// that
//         user a fresh burst. A forgotten bucket is nearly always a full one, for which nothing is lost.
// Threading: none; confined to the sender's loop. Time is given by the caller and must not run backwards.
class RateLimiter {
 public:
  explicit RateLimiter(std::size_t buckets_max);

  // This process's part of every account's rate and burst, in (0, 1]: conversations are spread over partitions,
  // partitions over senders, and nobody tells the others what it has sent. A user is one conversation, so one sender's.
  void SetAccountShare(double share);

  // Takes one token of each and returns when the send may start: `now` or later. A reservation is not given back.
  // Limits may change between calls (accounts are reloaded). A rate of 0 or less means no limit.
  base::MonotonicTime Reserve(base::MonotonicTime now, const std::string& account, const RateLimit& account_limit,
                              const std::string& user, const RateLimit& user_limit);

  // How many sends to this user can have started by `until`, were there nothing else to send: at least 0.
  std::size_t UserSendsUntil(base::MonotonicTime now, const std::string& user, const RateLimit& limit,
                             base::MonotonicTime until) const;

  // The platform said slow down: nobody of this account before `until`, whatever was reserved.
  void Hold(const std::string& account, base::MonotonicTime until);
  base::MonotonicTime HeldUntil(const std::string& account) const;  // in the past when it is not held

  std::size_t bucket_count() const { return accounts_.entries.size() + users_.entries.size(); }

 private:
  struct Bucket {
    double tokens = 0;  // below zero: reserved ahead
    base::MonotonicTime refilled_at;
    base::MonotonicTime held_until;
    std::list<std::string>::iterator recency;
  };
  struct Buckets {
    absl::flat_hash_map<std::string, Bucket> entries;
    std::list<std::string> by_recency;  // oldest first
  };

  Bucket& Touch(Buckets& buckets, const std::string& name, base::MonotonicTime now, double initial_tokens);
  static base::MonotonicTime Take(Bucket& bucket, base::MonotonicTime now, const RateLimit& limit);

  const std::size_t buckets_max_;
  double account_share_ = 1;
  Buckets accounts_;
  Buckets users_;
};

}  // namespace sender
