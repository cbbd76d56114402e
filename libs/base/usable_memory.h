#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace base {

// Bytes that this process could have if it were alone: the machine's memory, and no more than its container allows.
// What lies beyond would end it, at the earliest when it is written.
std::int64_t UsableMemoryBytes();

// Of the contents of a cgroup's memory.max, a number of bytes or "max". nullopt: no limit, or another text.
std::optional<std::int64_t> MemoryLimit(std::string_view memory_max);

}  // namespace base
