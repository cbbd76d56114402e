#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "libs/base/clock.h"

namespace base {

// Keeps a client from burying a peer that cannot keep up: while the peer accepts less than one of K requests, the
// client refuses a share of them itself, with the probability of Google's SRE book (chapter "Handling Overload"):
//
//   max(0, (requests - K * accepts) / (requests + 1))        over the last two minutes
//
// A request counts once it is refused here or its end is known, so that a burst of many at once is not taken for a peer
// that answers none of them.
//
// K is how many requests are let through for each that the peer accepts: 2 wastes at most as much of the peer as it
// serves, and notices soon when there is room again; a lower one is stricter, a high one hardly ever refuses.
//
// Alone the formula could keep a healthy peer waiting, so it is fenced in:
//   - below `requests_min` requests it says nothing: after one failure in one request it would refuse half;
//   - one request passes every kProbeInterval, whatever it says;
//   - a peer that accepted nothing for kAwayAfter was away, not overloaded: with the first request that it accepts
//     again, what it left unanswered is forgotten. Otherwise an outage of a minute would be followed by two more.
//
// A refusal decides nothing about the work: the caller keeps it and comes again, as with any peer that is away.
//
// Pure: no clock of its own, and chance that repeats for a seed. Threading: none; its owner guards it.
class AdaptiveThrottle {
 public:
  static constexpr Duration kWindow = std::chrono::minutes(2);
  static constexpr Duration kProbeInterval = std::chrono::seconds(1);
  static constexpr Duration kAwayAfter = std::chrono::seconds(2);

  struct Options {
    double k = 2;                    // at least 1
    std::int64_t requests_min = 20;  // in the window; at least 0
  };

  AdaptiveThrottle(const Options& options, std::uint64_t seed);  // REQUIRES: options in their bounds

  // False: the request is not to be made. Time must not run backwards, here and below.
  [[nodiscard]] bool Admit(MonotonicTime now);

  // How an admitted request ended. Accepted: the peer did what was asked, or refused it for what it is. Not accepted:
  // it had no room, or no time. What tells nothing of its room is not told here: a peer that cannot be reached, a
  // reason of the caller's own.
  void OnEnd(MonotonicTime now, bool accepted);

  // The share of requests that Admit refuses now, [0, 1).
  double RefusedShare(MonotonicTime now);

 private:
  static constexpr std::size_t kSlots = 24;  // the window slides in steps of 5 s
  static constexpr Duration kSlotTime = kWindow / kSlots;
  struct Slot {
    std::int64_t requests = 0;
    std::int64_t accepts = 0;
  };

  Slot& SlotAt(MonotonicTime now);
  void ForgetUnanswered();
  bool Draw(double probability);

  const Options options_;
  std::uint64_t random_;
  std::array<Slot, kSlots> slots_{};
  std::int64_t newest_slot_ = 0;  // number of the slot since the clock's beginning
  Slot sum_;                      // of all slots
  bool begun_ = false;            // the times below are set
  MonotonicTime last_admitted_{};
  MonotonicTime last_accepted_{};  // at first, when the first request came
};

}  // namespace base
