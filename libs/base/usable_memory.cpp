#include "libs/base/usable_memory.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <string>
#include <system_error>

namespace base {

std::optional<std::int64_t> MemoryLimit(std::string_view memory_max) {
  std::int64_t bytes = 0;
  const char* const end = memory_max.data() + memory_max.size();
  const auto [rest, error] = std::from_chars(memory_max.data(), end, bytes);
  if (error != std::errc() || (rest != end && *rest != '\n') || bytes <= 0) return std::nullopt;
  return bytes;
}

// Within a container its own cgroup is the root of what it sees (control groups, version 2).
std::int64_t UsableMemoryBytes() {
  const std::int64_t pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  const std::int64_t machine = pages > 0 && page > 0 ? pages * page : std::numeric_limits<std::int64_t>::max();
  std::ifstream file("/sys/fs/cgroup/memory.max");
  std::string line;
  if (!std::getline(file, line)) return machine;
  return std::min(machine, MemoryLimit(line).value_or(machine));
}

}  // namespace base
