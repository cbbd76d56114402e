#pragma once

#include <optional>
#include <string_view>

namespace engine {

// Cores that this process may keep busy: those that it may run on, and no more than its container's quota pays for.
// More threads than that would be stopped in the middle of their work. At least 1.
int UsableCores();

// Of the contents of a cgroup's cpu.max, "quota period" in microseconds or "max period": whole cores, at least 1.
// nullopt: no limit, or another text.
std::optional<int> CoresOfQuota(std::string_view cpu_max);

}  // namespace engine
