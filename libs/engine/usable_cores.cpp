#include "libs/engine/usable_cores.h"

#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>

namespace engine {
namespace {

int CoresToRunOn() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

std::optional<int> CoresOfQuota(std::string_view cpu_max) {
  std::int64_t quota = 0, period = 0;
  const char* const end = cpu_max.data() + cpu_max.size();
  const auto [space, no_quota] = std::from_chars(cpu_max.data(), end, quota);
  if (no_quota != std::errc() || space == end || *space != ' ') return std::nullopt;
  const auto [rest, no_period] = std::from_chars(space + 1, end, period);
  if (no_period != std::errc() || (rest != end && *rest != '\n') || quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<int>(std::clamp<std::int64_t>(quota / period, 1, 1 << 16));
}

// Within a container its own cgroup is the root of what it sees (control groups, version 2).
int UsableCores() {
  const int cores = std::max(1, CoresToRunOn());
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string line;
  if (!std::getline(file, line)) return cores;
  return std::min(cores, CoresOfQuota(line).value_or(cores));
}

}  // namespace engine
