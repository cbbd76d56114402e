#pragma once

#include <cstdint>
#include <string_view>

#include "libs/base/clock.h"

namespace sender {

// How long a send without an answer has been watched for a sign of life. Only time in which the statuses were read up
// to date counts: silence proves nothing while the webhooks that would break it wait unread.
//
// Threading: none. Pure.
class ReconcileClock {
 public:
  explicit ReconcileClock(base::MonotonicTime now) : last_(now) {}

  // Call at most a second or so apart; a longer gap counts in full only if the statuses are up to date at both ends.
  void Tick(base::MonotonicTime now, bool statuses_up_to_date) {
    if (statuses_up_to_date && was_up_to_date_) waited_ += now - last_;
    was_up_to_date_ = statuses_up_to_date;
    last_ = now;
  }

  base::Duration waited() const { return waited_; }

 private:
  base::MonotonicTime last_;
  base::Duration waited_{};
  bool was_up_to_date_ = false;
};

enum class DoubtStep { kWait, kResend, kPark };

// What to do with a claim that stands without SENT. `resends` is the claim's own count: an account whose policy is
// `resend` gets one second try for each reply, marked in the ledger; a second doubt is parked, whatever the policy.
// `policy` is Account.in_doubt_policy; anything but "resend" parks, also an account that is not configured any more.
DoubtStep DecideDoubt(base::Duration waited, base::Duration reconcile, std::string_view policy, std::uint32_t resends);

}  // namespace sender
