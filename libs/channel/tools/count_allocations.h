#pragma once

#include <cstdint>

namespace channel {

// Calls of operator new by this process. Linking this file replaces operator new: for tools only.
std::int64_t AllocationsSoFar();

}  // namespace channel
