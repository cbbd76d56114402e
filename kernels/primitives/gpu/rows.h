#pragma once

#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/warp.h"

// What the kernels that stream rows through registers share.
namespace kernels::gpu {

// Eight BF16 of 16 bytes, widened.
__device__ __forceinline__ void UnpackBf16(const uint4& packed, float (&values)[8]) {
  const std::uint32_t words[4] = {packed.x, packed.y, packed.z, packed.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    values[2 * i] = LowBf16(words[i]);
    values[2 * i + 1] = HighBf16(words[i]);
  }
}
__device__ __forceinline__ uint4 PackBf16(const float (&values)[8]) {
  return make_uint4(PackBf16(values[0], values[1]), PackBf16(values[2], values[3]), PackBf16(values[4], values[5]),
                    PackBf16(values[6], values[7]));
}

// Four values as FP8 in one register, the first in the lowest byte, which comes first in memory; rounded as ToFp8.
__device__ __forceinline__ std::uint32_t PackFp8(float a, float b, float c, float d) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
  std::uint16_t low, high;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(low) : "f"(b), "f"(a));
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(high) : "f"(d), "f"(c));
  return std::uint32_t{low} | std::uint32_t{high} << 16;
#else
  return std::uint32_t{ToFp8(a).bits} | std::uint32_t{ToFp8(b).bits} << 8 | std::uint32_t{ToFp8(c).bits} << 16 |
         std::uint32_t{ToFp8(d).bits} << 24;
#endif
}

// Eight values times `inverse`.
__device__ __forceinline__ uint2 PackFp8(const float (&values)[8], float inverse) {
  return make_uint2(PackFp8(values[0] * inverse, values[1] * inverse, values[2] * inverse, values[3] * inverse),
                    PackFp8(values[4] * inverse, values[5] * inverse, values[6] * inverse, values[7] * inverse));
}

// The scale of a row whose largest magnitude is `largest`, and what its values are multiplied with before they are
// rounded: the largest becomes 448. A row of zeros (or of NaN alone: fmaxf passes over NaN) has scale 1. The smallest
// scale is FLT_MIN, so that the inverse is finite.
struct Fp8Scale {
  float scale, inverse;
};
__device__ __forceinline__ Fp8Scale Fp8ScaleOf(float largest) {
  if (!(largest > 0.0F)) return {1.0F, 1.0F};
  const float scale = fmaxf(largest / kFp8Max, 1.17549435e-38F);
  return {scale, 1.0F / scale};
}

// Sums and maxima over all threads of a block (whole warps, up to 32), the same in every thread; all threads must call.
// The order of the additions is fixed by the block's size alone. Calls take turns between the two halves of the
// scratch, so one barrier a call is enough: a half is written again only after the barrier of the call between.
class BlockReduction {
 public:
  __device__ __forceinline__ explicit BlockReduction(float (&scratch)[2][kWarpLanes]) : scratch_(scratch) {}

  __device__ __forceinline__ float Sum(float value) { return WarpSum(Exchange(WarpSum(value), 0.0F)); }
  // REQUIRES: values are not negative, or NaN, which is passed over.
  __device__ __forceinline__ float Max(float value) { return WarpMax(Exchange(WarpMax(value), 0.0F)); }

 private:
  // Warp i's value in lane i of every warp; `none` in the lanes beyond.
  __device__ __forceinline__ float Exchange(float of_warp, float none) {
    const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarpLanes;
    const int warps = static_cast<int>(blockDim.x) / kWarpLanes;
    float* half = scratch_[turn_];
    turn_ ^= 1;
    if (lane == 0) half[thread / kWarpLanes] = of_warp;
    __syncthreads();
    return lane < warps ? half[lane] : none;
  }

  float (&scratch_)[2][kWarpLanes];
  int turn_ = 0;
};

}  // namespace kernels::gpu
