#pragma once

#include <cstdint>

#include "kernels/primitives/gpu/device.h"

namespace kernels::gpu {

// What attention reads in the place of 16 keys, or values, of a block outside the pool: NaN in BF16 and in FP8 E4M3, so
// that a wrong id ends as a wrong id should, and neither in other memory nor in an answer that looks right.
struct alignas(16) UnknownRows {
  std::uint32_t words[16 * 256 * 2 / 4];  // 16 rows of the widest head in the wider format

  constexpr UnknownRows() : words{} {
    for (std::uint32_t& word : words) word = 0x7FFF7FFFU;  // each byte of 7F and FF is NaN, and each pair
  }
};
static __device__ const UnknownRows unknown_rows;

// `rows`, the first of 16 within block `id`, or the NaN instead.
__device__ __forceinline__ const void* KnownRows(const void* rows, std::uint32_t id, std::int32_t blocks_total) {
  return id < static_cast<std::uint32_t>(blocks_total) ? rows : &unknown_rows;
}

}  // namespace kernels::gpu
