#pragma once

#include <cstdint>

#include "proto/bus/v1/bus.pb.h"

namespace worker {

// When the user wrote or pressed what this turn is: wall clock, for Reply.user_spoke_at_ms. The channel's own time of
// the message counts, for the platform's window begins there; where it gave none, or one that cannot be (in the future,
// or older than any webhook comes), the gateway's.
std::int64_t UserSpokeAtMs(const mesh::bus::v1::Turn& turn);

}  // namespace worker
