#pragma once

#include <cstdint>
#include <optional>

#include "libs/bus/dead_letter.h"

namespace worker {

// So many deaths of the sacrificial child over one turn, and the turn is poison.
inline constexpr int kChildDeathsMax = 3;
// So many times a worker began the turn alone and did not live to see how that ended: poison, too. It takes its worker
// along even from a child, or the workers die of something else again and again; the latter must not condemn a turn
// soon.
inline constexpr int kAloneStartsMax = 10;

// What is known of a turn's earlier tries, over all lives of all workers: kept as the note of its record in the
// committed metadata of `turns` (bus::Consumer::Note), and always written before the work that it tells of, so that
// a process that dies in the middle of that work leaves it behind. A record that is finished has none.
//
//   nothing known -> Started ---------------------> answered with others, done
//                       | the worker died
//                       v
//                  a suspect, cleared -> Started -> answered with others, done
//                       |                   | the worker died
//                       v                   v
//                  a suspect -> StartedAlone -----> answered alone, done
//                       ^            | the child died
//                       +------------+ ChildDied; the third time, or past kAloneStartsMax: poison
//   any of them -> GivenUp(reason) ---------------> notice, dead letter, done
//
// Pure values. A worker that gives its partition away in peace writes back what stood before it began.
class Attempts {
 public:
  Attempts() = default;  // nothing is known
  static Attempts FromNote(std::uint32_t note);
  std::uint32_t note() const;

  // A suspect: an earlier worker began this turn, and nothing says how that ended. It may kill; it may also have been
  // said.
  bool began() const { return began_; }
  // It was begun with others again after a worker had died, and a worker died again.
  bool began_again() const { return began_again_; }
  // One worker died while it ran with others, and that is all.
  bool may_be_cleared() const { return *this == Attempts().Started(); }
  bool poison() const { return child_deaths_ >= kChildDeathsMax || alone_starts_ >= kAloneStartsMax; }
  // Decided for good: whoever works on the turn next ends it so.
  std::optional<bus::DeadLetterReason> given_up() const;
  int child_deaths() const { return child_deaths_; }
  std::uint32_t tries() const;  // begun so far

  Attempts Started() const;       // with others
  Attempts StartedAlone() const;  // REQUIRES: began() && !poison()
  Attempts ChildDied() const;     // of what stood before the start that ended so.   REQUIRES: as StartedAlone
  Attempts GivenUp(bus::DeadLetterReason reason) const;

  friend bool operator==(const Attempts&, const Attempts&) = default;

 private:
  bool began_ = false;
  bool began_again_ = false;
  int child_deaths_ = 0;     // [0, kChildDeathsMax]
  int alone_starts_ = 0;     // whose end nobody saw; [0, kAloneStartsMax]
  int given_up_reason_ = 0;  // 0: not; else the reason's number and one
};

}  // namespace worker
