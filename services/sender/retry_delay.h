#pragma once

#include <cstdint>
#include <string_view>

#include "libs/base/clock.h"
#include "libs/channel/codec.h"

namespace sender {

// How long to wait before the next try of a send that the platform refused for now, and whom the refusal is about.
struct RetryDelay {
  base::Duration delay{};
  bool whole_account = false;  // a limit of the number, page or app: nobody of the account should send meanwhile
};

// `scope`: what the codec says of the answer (channels.md 3.2); `attempt` counts refusals of this reply, from 1.
// `retry_after` is the answer's header, seconds as digits, or empty. A limit of this user's (pair rate) waits 4^n
// seconds, n from 0; everything else doubles from 500 ms to 30 s. At most 5 minutes.
RetryDelay DelayAfterRefusal(channel::BackoffScope scope, int attempt, std::string_view retry_after,
                             std::uint64_t seed);

}  // namespace sender
