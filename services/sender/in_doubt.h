#pragma once

#include <cstdint>
#include <string_view>

#include "libs/base/clock.h"

namespace sender {

enum class DoubtStep { kWait, kResend, kPark };

// What to do with a claim that stands without SENT. `silent` is how long it has been watched without a sign of life,
// of which only time counts that the statuses cover (Effects::StatusesCoveredSince). `resends` is the claim's own
// count: an account whose policy is `resend` gets one second try for each reply, marked in the ledger; a second doubt
// is parked, whatever the policy. `policy` is Account.in_doubt_policy; anything but "resend" parks, also an account
// that is not configured any more.
DoubtStep DecideDoubt(base::Duration silent, base::Duration reconcile, std::string_view policy, std::uint32_t resends);

}  // namespace sender
