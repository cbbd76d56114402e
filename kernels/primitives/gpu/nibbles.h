#pragma once

#include "kernels/primitives/gpu/device.h"

namespace kernels::gpu {

// (value & mask) | base as one instruction (LOP3); left to itself the compiler takes two where mask and base are
// constants.
__device__ __forceinline__ std::uint32_t AndOr(std::uint32_t value, std::uint32_t mask, std::uint32_t base) {
#if defined(GPU_EMULATOR)
  return (value & mask) | base;
#else
  std::uint32_t result;
  asm("lop3.b32 %0, %1, %2, %3, 0xEA;" : "=r"(result) : "r"(value), "r"(mask), "r"(base));
  return result;
#endif
}

// Two BF16 in one register, one for each of the nibbles at bits 3 and 19 of `word`, which become the upper four bits of
// their mantissas: with `base` two numbers 2^e, e even or odd, value i is base + nibble * 2^(e - 4).
inline constexpr std::uint32_t kBf16Pair16 = 0x41804180U;   // 16 + nibble
inline constexpr std::uint32_t kBf16Pair256 = 0x43804380U;  // 256 + 16 * nibble
__device__ __forceinline__ std::uint32_t NibblePairToBf16(std::uint32_t word, std::uint32_t base) {
  return AndOr(word, 0x00780078U, base);
}

// Sums of two pairs of BF16, rounded to BF16; there is no addition before compute capability 9.0.
__device__ __forceinline__ std::uint32_t AddBf16Pairs(std::uint32_t a, std::uint32_t b) {
#if defined(GPU_EMULATOR)
  return PackBf16(LowBf16(a) + LowBf16(b), HighBf16(a) + HighBf16(b));
#else
  std::uint32_t sum;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(sum) : "r"(a), "r"(0x3F803F80U), "r"(b));
  return sum;
#endif
}

}  // namespace kernels::gpu
