#include "services/worker/user_spoke_at.h"

#include <chrono>

#include "libs/retention/retention.h"

namespace worker {
namespace {

// What is older the gateway does not take.
constexpr std::int64_t kLateMsMax = std::chrono::milliseconds(retention::kLog).count();

}  // namespace

std::int64_t UserSpokeAtMs(const mesh::bus::v1::Turn& turn) {
  const std::int64_t accepted_at_ms = turn.accepted_at_ms();
  const bool is_plausible =
      turn.sent_at_ms() > accepted_at_ms - kLateMsMax && turn.sent_at_ms() > 0 && turn.sent_at_ms() <= accepted_at_ms;
  return is_plausible ? turn.sent_at_ms() : accepted_at_ms;
}

}  // namespace worker
