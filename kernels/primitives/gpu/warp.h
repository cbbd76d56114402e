#pragma once

#include "kernels/primitives/gpu/device.h"

namespace kernels::gpu {

// Sum, and maximum, over the 32 lanes of a warp, in every lane; all lanes must call. The order of the additions is
// fixed, so the same values give the same bits.
__device__ __forceinline__ float WarpSum(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(kAllLanes, value, offset);
  return value;
}
__device__ __forceinline__ float WarpMax(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, offset));
  return value;
}

// Sum over a block of kThreads (a multiple of 32, at most 1,024), in every thread; all threads must call. `scratch` is
// 32 floats of shared memory; two calls in a row may share it.
template <int kThreads>
__device__ __forceinline__ float BlockSum(float value, float* scratch) {
  constexpr int kWarps = kThreads / kWarpLanes;
  value = WarpSum(value);
  if constexpr (kWarps == 1) return value;
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes, warp = static_cast<int>(threadIdx.x) / kWarpLanes;
  if (lane == 0) scratch[warp] = value;
  __syncthreads();
  value = WarpSum(lane < kWarps ? scratch[lane] : 0.0F);
  __syncthreads();
  return value;
}

}  // namespace kernels::gpu
