#include "services/worker/user_spoke_at.h"

namespace worker {
namespace {

// Webhooks are tried again for up to 7 days (channels.md 1.3).
constexpr std::int64_t kLateMsMax = std::int64_t{8} * 24 * 3'600'000;

}  // namespace

std::int64_t UserSpokeAtMs(const mesh::bus::v1::Turn& turn) {
  const std::int64_t accepted_at_ms = turn.accepted_at_ms();
  const bool is_plausible =
      turn.sent_at_ms() > accepted_at_ms - kLateMsMax && turn.sent_at_ms() > 0 && turn.sent_at_ms() <= accepted_at_ms;
  return is_plausible ? turn.sent_at_ms() : accepted_at_ms;
}

}  // namespace worker
