#pragma once

#include "kernels/primitives/gpu/device.h"

namespace kernels::gpu {

// 2^x by the special function unit alone (ex2.approx: relative error 2^-22), where exp2f would spend further
// instructions on results below 2^-126: here they are zero. Minus infinity gives 0, NaN stays NaN.
__device__ __forceinline__ float Exp2(float x) {
#if defined(GPU_EMULATOR)
  return x < -126.0F ? 0.0F : exp2f(x);
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

}  // namespace kernels::gpu
