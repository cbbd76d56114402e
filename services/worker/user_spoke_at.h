#pragma once

#include <cstdint>

#include "proto/bus/v1/bus.pb.h"
#include "proto/session/v1/session.pb.h"

namespace worker {

// When the user last spoke or pressed something, as far as this turn and the history before it tell: wall clock, for
// Reply.user_spoke_at_ms. The channel's own time of the message counts, for the platform's window begins there; where
// it gave none, or one that cannot be (in the future, or older than any webhook comes), the gateway's.
std::int64_t UserSpokeAtMs(const mesh::bus::v1::Turn& turn, const mesh::session::v1::LoadContextResponse& loaded);

}  // namespace worker
