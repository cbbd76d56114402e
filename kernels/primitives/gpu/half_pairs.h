#pragma once

#include "kernels/primitives/gpu/device.h"
#if defined(GPU_EMULATOR)
#include "kernels/quant/half.h"
#endif

namespace kernels::gpu {

// Two IEEE half precision values in one register, `low` in the low half. Rounds to nearest, ties to even.
__device__ __forceinline__ std::uint32_t PackF16(float low, float high) {
#if defined(GPU_EMULATOR)
  return std::uint32_t{FloatToHalf(low)} | std::uint32_t{FloatToHalf(high)} << 16;
#else
  std::uint32_t packed;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
#endif
}

}  // namespace kernels::gpu
