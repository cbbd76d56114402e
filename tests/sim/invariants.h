#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/world.h"

namespace sim {

struct Violation {
  std::string_view name;  // one of kinds below, or of kKnownFindings
  std::string detail;
};

// What must hold once a schedule's faults have healed: I1, I2, I3 and I6 of docs/design.md, and of I5 what can be asked
// while the store has lost nothing (it is not rebuilt yet). Looks only at what happened outside the services: the
// screen, the log of turns and replies, dead letters, parked replies, the store.
std::vector<Violation> Check(const World& world, bool at_rest);

// A violation that is known and has an issue of its own: counted and printed, and no failure. Each names what it takes,
// so that the list shrinks as the services are mended; nothing else may hide behind it.
struct KnownFinding {
  std::string_view name;
  std::string_view why;
};
std::span<const KnownFinding> KnownFindings();
bool IsKnown(const Violation& violation);

}  // namespace sim
