#include "services/sender/send_window.h"

namespace sender {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kMarginMs = 60'000;

}  // namespace

bool IsWindowClosed(const account::Account& account, std::int64_t user_spoke_at_ms, std::int64_t wall_ms) {
  if (account.window_h == 0 || user_spoke_at_ms == 0) return false;
  return wall_ms >= user_spoke_at_ms + account.window_h * kHourMs - kMarginMs;
}

}  // namespace sender
