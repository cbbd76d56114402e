#include "libs/base/adaptive_throttle.h"

#include <algorithm>

#include "libs/base/check.h"

namespace base {

AdaptiveThrottle::AdaptiveThrottle(const Options& options, std::uint64_t seed) : options_(options), random_(seed) {
  CHECK(options.k >= 1 && options.requests_min >= 0);
}

bool AdaptiveThrottle::Admit(MonotonicTime now) {
  if (!begun_) last_accepted_ = now;
  const bool probes = !begun_ || now - last_admitted_ >= kProbeInterval;
  begun_ = true;
  if (!probes && Draw(RefusedShare(now))) {
    ++SlotAt(now).requests;
    ++sum_.requests;
    return false;
  }
  last_admitted_ = now;
  return true;
}

void AdaptiveThrottle::OnEnd(MonotonicTime now, bool accepted) {
  Slot& slot = SlotAt(now);
  ++slot.requests;
  ++sum_.requests;
  if (!accepted) return;
  ++slot.accepts;
  ++sum_.accepts;
  if (now - last_accepted_ >= kAwayAfter) ForgetUnanswered();
  last_accepted_ = now;
}

void AdaptiveThrottle::ForgetUnanswered() {
  for (Slot& slot : slots_) slot.requests = slot.accepts;
  sum_.requests = sum_.accepts;
}

double AdaptiveThrottle::RefusedShare(MonotonicTime now) {
  SlotAt(now);  // lets go of what is older than the window
  if (sum_.requests < options_.requests_min) return 0;
  const auto requests = static_cast<double>(sum_.requests);
  return std::max(0.0, (requests - options_.k * static_cast<double>(sum_.accepts)) / (requests + 1));
}

AdaptiveThrottle::Slot& AdaptiveThrottle::SlotAt(MonotonicTime now) {
  const std::int64_t number = now.time_since_epoch() / kSlotTime;
  const std::int64_t passed = std::min<std::int64_t>(number - newest_slot_, kSlots);
  for (std::int64_t i = 0; i < passed; ++i) {
    Slot& oldest = slots_[static_cast<std::size_t>((number - i) % static_cast<std::int64_t>(kSlots))];
    sum_.requests -= oldest.requests;
    sum_.accepts -= oldest.accepts;
    oldest = {};
  }
  newest_slot_ = std::max(newest_slot_, number);
  return slots_[static_cast<std::size_t>(newest_slot_ % static_cast<std::int64_t>(kSlots))];
}

// SplitMix64 (Steele, Lea, Flood 2014).
bool AdaptiveThrottle::Draw(double probability) {
  random_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t mixed = (random_ ^ (random_ >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  mixed ^= mixed >> 31;
  return static_cast<double>(mixed >> 11) / 9007199254740992.0 < probability;
}

}  // namespace base
