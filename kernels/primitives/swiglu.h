#pragma once

#include <cstdint>

namespace kernels {

// out[i] = silu(gate[i]) * up[i], silu(g) = g / (1 + exp(-g))     (SwiGLU: Shazeer 2020)
//   gate, up, out : [count]; out may be gate
using SwiGluFn = void(const float* gate, const float* up, std::int64_t count, float* out);

SwiGluFn SwiGluRef;

}  // namespace kernels
