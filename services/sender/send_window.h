#pragma once

#include <cstdint>

#include "libs/account/account.h"

namespace sender {

// Whether what is sent now would reach the platform too late after the user's last message (channels.md 5): then it
// would be refused, at the price of the number's quality. A minute before the end counts as too late, for a send's own
// time and clocks that differ. `user_spoke_at_ms`: wall clock; 0, like an account with `window_h: 0`, is never too
// late.
bool IsWindowClosed(const account::Account& account, std::int64_t user_spoke_at_ms, std::int64_t wall_ms);

}  // namespace sender
