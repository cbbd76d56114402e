#pragma once

#include <cstdint>

namespace kernels::gpu {

// For launchers: whether a pointer, if there is one, is a multiple of `bytes`. A card ends at the first access that is
// not aligned to what is read at once, at least the size of a value.
inline bool Aligned(const void* pointer, std::uintptr_t bytes) {
  return reinterpret_cast<std::uintptr_t>(pointer) % bytes == 0;
}

}  // namespace kernels::gpu
