#pragma once

#include <cstdint>

// Compiled by the host compiler, by nvcc and for the emulator.
#if defined(__CUDACC__)
#define GPU_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define GPU_HOST_DEVICE inline
#endif

namespace kernels::gpu {

// bfloat16 as bits: sign, 8 bits of exponent, 7 of mantissa; the upper half of an F32.
struct Bf16 {
  std::uint16_t bits;
};

// IEEE 754 binary16 as bits: sign, 5 bits of exponent, 10 of mantissa; only GGUF files have it.
struct Fp16 {
  std::uint16_t bits;
};

// FP8 E4M3 (OCP 8-bit floating point 1.0, "FN": no infinities, 0x7F and 0xFF are NaN, largest 448).
struct Fp8 {
  std::uint8_t bits;
};
inline constexpr float kFp8Max = 448.0F;

GPU_HOST_DEVICE float BitsToFloat(std::uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, sizeof(value));
  return value;
}
GPU_HOST_DEVICE std::uint32_t FloatToBits(float value) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof(bits));
  return bits;
}

GPU_HOST_DEVICE float ToFloat(float value) { return value; }
GPU_HOST_DEVICE float ToFloat(Bf16 value) { return BitsToFloat(std::uint32_t{value.bits} << 16); }

// Exact.
GPU_HOST_DEVICE float ToFloat(Fp16 value) {
#if defined(__CUDA_ARCH__)
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(value.bits));
  return wide;
#else
  const std::uint32_t sign = std::uint32_t{value.bits & 0x8000U} << 16, rest = value.bits & 0x7FFFU;
  if (rest >= 0x7C00U) return BitsToFloat(sign | 0x7F800000U | (rest & 0x3FFU) << 13);  // infinity, NaN
  // Exponents are 112 apart; the product makes subnormals of binary16 right as well.
  return BitsToFloat(FloatToBits(BitsToFloat(rest << 13) * 0x1p112F) | sign);
#endif
}

// Rounds to nearest, ties to even; NaN stays NaN (quiet).
GPU_HOST_DEVICE Bf16 ToBf16(float value) {
#if defined(__CUDA_ARCH__)
  std::uint16_t bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return {bits};
#else
  const std::uint32_t bits = FloatToBits(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return {static_cast<std::uint16_t>((bits >> 16) | 0x40U)};
  return {static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16)};
#endif
}

// Two values in one register: `low` in the low half, which comes first in memory.
GPU_HOST_DEVICE std::uint32_t PackBf16(float low, float high) {
#if defined(__CUDA_ARCH__)
  std::uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
#else
  return std::uint32_t{ToBf16(low).bits} | std::uint32_t{ToBf16(high).bits} << 16;
#endif
}
GPU_HOST_DEVICE float LowBf16(std::uint32_t packed) { return BitsToFloat(packed << 16); }
GPU_HOST_DEVICE float HighBf16(std::uint32_t packed) { return BitsToFloat(packed & 0xFFFF0000U); }

// Exact.
GPU_HOST_DEVICE float ToFloat(Fp8 value) {
  const std::uint32_t exponent = (value.bits >> 3) & 0xFU, mantissa = value.bits & 7U;
  const std::uint32_t sign = std::uint32_t{value.bits & 0x80U} << 24;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * (1.0F / 512.0F);
    return BitsToFloat(FloatToBits(magnitude) | sign);
  }
  if (exponent == 15 && mantissa == 7) return BitsToFloat(0x7FC00000U | sign);
  return BitsToFloat(sign | (exponent + 120U) << 23 | mantissa << 20);
}

// Rounds to nearest, ties to even; beyond the largest it saturates; NaN stays NaN.
GPU_HOST_DEVICE Fp8 ToFp8(float value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
  std::uint16_t packed;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(packed) : "f"(0.0F), "f"(value));
  return {static_cast<std::uint8_t>(packed & 0xFFU)};
#else
  const std::uint32_t bits = FloatToBits(value);
  const auto sign = static_cast<std::uint8_t>((bits >> 24) & 0x80U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return {static_cast<std::uint8_t>(sign | 0x7FU)};
  if (magnitude >= 0x43E00000U) return {static_cast<std::uint8_t>(sign | 0x7EU)};  // at least 448
  if (magnitude < 0x3C800000U) {  // below 2^-6: multiples of 2^-9; adding 2^14 leaves them in the last bits, rounded
    const float shifted = BitsToFloat(magnitude) + 16384.0F;
    return {static_cast<std::uint8_t>(sign | (FloatToBits(shifted) & 0xFU))};
  }
  const std::uint32_t rounded = magnitude + 0x7FFFFU + ((magnitude >> 20) & 1U);
  const std::uint32_t code = (rounded >> 20) - (120U << 3);
  return {static_cast<std::uint8_t>(sign | (code > 0x7EU ? 0x7EU : code))};
#endif
}

}  // namespace kernels::gpu
