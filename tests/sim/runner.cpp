#include "tests/sim/runner.h"

#include <chrono>
#include <ctime>
#include <optional>
#include <ostream>

#include "absl/strings/numbers.h"
#include "libs/base/str_cat.h"
#include "libs/telemetry/log.h"

namespace sim {
namespace {

// One for all schedules: making a registry costs more than a schedule, and nothing here reads it.
const sender::Metrics& SharedMetrics() {
  static telemetry::Registry registry;
  static const sender::Metrics metrics(registry);
  return metrics;
}

void Silence() {
  static const bool done = [] {
    telemetry::LogOptions options;
    options.service = "sim";
    options.level = telemetry::LogLevel::kError;
    options.path = "/dev/null";
    return telemetry::StartLogging(options).ok();
  }();
  static_cast<void>(done);
}

std::optional<Mistake> ParseMistake(std::string_view name) {
  for (const Mistake mistake : kAllMistakes) {
    if (NameOf(mistake) == name) return mistake;
  }
  return std::nullopt;
}

void PrintSeen(std::string_view title, const std::map<std::string, Summary::Seen>& all, std::ostream& out) {
  for (const auto& [name, seen] : all) {
    out << base::StrCat(title, " ", name, " ", seen.count, " times, first with --seed=", seen.first_seed, ": ",
                        seen.first_detail, "\n");
  }
}

int Replay(std::uint64_t seed, Mistake mistake, std::ostream& out) {
  std::uint64_t tasks = 0;
  bool failed = false;
  for (const Violation& violation : RunSchedule(seed, mistake, &out, &tasks)) {
    const bool known = IsKnown(violation);
    failed |= !known;
    out << base::StrCat(known ? "known finding " : "VIOLATION ", violation.name, ": ", violation.detail, "\n");
  }
  out << base::StrCat("seed ", seed, ", ", tasks, " events, ", failed ? "violated" : "invariants hold", "\n");
  return failed ? 1 : 0;
}

}  // namespace

std::uint64_t Summary::violation_count() const {
  std::uint64_t count = 0;
  for (const auto& [name, seen] : violations) count += seen.count;
  return count;
}

std::vector<Violation> RunSchedule(std::uint64_t seed, Mistake mistake, std::ostream* trace, std::uint64_t* tasks) {
  Silence();
  World world(seed, mistake, &SharedMetrics(), trace);
  const bool at_rest = world.Run();
  *tasks += world.time.tasks_run();
  return Check(world, at_rest);
}

Summary RunSchedules(std::uint64_t first_seed, std::uint64_t schedules, Mistake mistake, bool stop_at_first) {
  Summary summary;
  const auto begun = std::chrono::steady_clock::now();
  const std::clock_t cpu_begun = std::clock();
  for (std::uint64_t index = 0; index < schedules; ++index) {
    const std::uint64_t seed = first_seed + index;
    ++summary.schedules;
    for (const Violation& violation : RunSchedule(seed, mistake, /*trace=*/nullptr, &summary.tasks)) {
      auto& seen = (IsKnown(violation) ? summary.known : summary.violations)[std::string(violation.name)];
      if (seen.count++ == 0) {
        seen.first_seed = seed;
        seen.first_detail = violation.detail;
      }
    }
    if (stop_at_first && !summary.violations.empty()) break;
  }
  summary.cpu_seconds = static_cast<double>(std::clock() - cpu_begun) / CLOCKS_PER_SEC;
  summary.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return summary;
}

void Print(const Summary& summary, std::ostream& out) {
  PrintSeen("known finding", summary.known, out);
  for (const KnownFinding& known : KnownFindings()) {
    if (!summary.known.contains(std::string(known.name))) out << base::StrCat("not seen: ", known.name, "\n");
  }
  PrintSeen("VIOLATION", summary.violations, out);
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(summary.schedules) / summary.cpu_seconds);
  out << base::StrCat(rate, " schedules a second of one core, ", summary.tasks / summary.schedules, " events each, ",
                      static_cast<std::int64_t>(summary.cpu_seconds), " s of it in ",
                      static_cast<std::int64_t>(summary.seconds), " s\n");
  out << base::StrCat("schedules ", summary.schedules, " violations ", summary.violation_count(), "\n");
}

int Main(const std::vector<std::string_view>& arguments, std::ostream& out) {
  std::optional<std::uint64_t> seed;
  std::optional<std::uint64_t> schedules;
  Mistake mistake = Mistake::kNone;
  for (const std::string_view argument : arguments) {
    const std::size_t equals = std::min(argument.find('='), argument.size());
    const std::string_view name = argument.substr(0, equals);
    const std::string value(argument.substr(std::min(equals + 1, argument.size())));
    std::uint64_t number = 0;
    const bool is_number = absl::SimpleAtoi(value, &number);
    if (name == "--seed" && is_number) {
      seed = number;
    } else if (name == "--schedules" && is_number && number > 0) {
      schedules = number;
    } else if (name == "--mistake" && ParseMistake(value).has_value()) {
      mistake = *ParseMistake(value);
    } else {
      out << "usage: sim --seed=S | sim --schedules=N [--seed=S]   [--mistake=NAME]\n";
      for (const Mistake each : kAllMistakes) out << "  mistake " << NameOf(each) << "\n";
      return 2;
    }
  }
  if (!schedules.has_value() && seed.has_value()) return Replay(*seed, mistake, out);
  const Summary summary = RunSchedules(seed.value_or(1), schedules.value_or(1000), mistake, /*stop_at_first=*/false);
  Print(summary, out);
  return summary.violation_count() == 0 ? 0 : 1;
}

}  // namespace sim
