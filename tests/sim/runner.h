#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/faults.h"
#include "tests/sim/invariants.h"

namespace sim {

// What a run of many schedules came to.
struct Summary {
  struct Seen {
    std::uint64_t count = 0;
    std::uint64_t first_seed = 0;
    std::string first_detail;
  };
  std::uint64_t schedules = 0;
  std::uint64_t tasks = 0;                 // events of all schedules
  double cpu_seconds = 0;                  // of this process
  double seconds = 0;                      // of the machine's time
  std::map<std::string, Seen> violations;  // not known
  std::map<std::string, Seen> known;

  std::uint64_t violation_count() const;
};

// Runs schedules one after another in this thread; the first call silences the services' log lines.
std::vector<Violation> RunSchedule(std::uint64_t seed, Mistake mistake, std::ostream* trace, std::uint64_t* tasks);
// Seeds from `first_seed` on. `stop_at_first`: ends with the first violation that is not known.
Summary RunSchedules(std::uint64_t first_seed, std::uint64_t schedules, Mistake mistake, bool stop_at_first);

void Print(const Summary& summary, std::ostream& out);

// The command line: --seed=S replays one schedule with its trace; --schedules=N [--seed=S] runs many; --mistake=NAME.
int Main(const std::vector<std::string_view>& arguments, std::ostream& out);

}  // namespace sim
