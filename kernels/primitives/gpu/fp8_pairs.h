#pragma once

#include "kernels/primitives/gpu/device.h"

namespace kernels::gpu {

// Two FP8 numbers (the low byte comes first in memory) as two 16-bit ones in one register, exactly, for the matrix
// instructions; NaN stays NaN.

// IEEE half precision bits. Every E4M3 number is one, the smallest (2^-9) even a normal one.
GPU_HOST_DEVICE std::uint32_t HalfBitsOfFp8(std::uint32_t fp8) {
  const std::uint32_t magnitude = fp8 & 0x7FU, sign = (fp8 & 0x80U) << 8;
  if (magnitude == 0x7FU) return sign | 0x7FFFU;
  if (magnitude >= 8) return sign | ((magnitude + 64U) << 7);  // the exponents' biases are 7 and 15
  if (magnitude == 0) return sign;
  const std::uint32_t bits = FloatToBits(static_cast<float>(magnitude) * (1.0F / 512.0F));
  return sign | ((bits >> 13) - (112U << 10));  // biases 127 and 15
}

__device__ __forceinline__ std::uint32_t HalvesOfFp8Pair(std::uint32_t pair) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
  std::uint32_t halves;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(halves) : "h"(static_cast<std::uint16_t>(pair)));
  return halves;
#else
  return HalfBitsOfFp8(pair & 0xFFU) | HalfBitsOfFp8((pair >> 8) & 0xFFU) << 16;
#endif
}

__device__ __forceinline__ std::uint32_t Bf16sOfFp8Pair(std::uint32_t pair) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
  float low, high;
  asm("{\n.reg .b16 low, high;\nmov.b32 {low, high}, %2;\ncvt.f32.f16 %0, low;\ncvt.f32.f16 %1, high;\n}"
      : "=f"(low), "=f"(high)
      : "r"(HalvesOfFp8Pair(pair)));
  return PackBf16(low, high);
#else
  return PackBf16(ToFloat(Fp8{static_cast<std::uint8_t>(pair & 0xFFU)}),
                  ToFloat(Fp8{static_cast<std::uint8_t>((pair >> 8) & 0xFFU)}));
#endif
}

}  // namespace kernels::gpu
