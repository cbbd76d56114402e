#pragma once

#include <cstdint>

namespace kernels {

enum class GateActivation { kSilu, kGelu };

// Gated linear units (Shazeer 2020): out[i] = activation(gate[i]) * up[i]
//   SwiGlu : silu(g) = g / (1 + exp(-g))
//   GeGlu  : gelu(g) = g / 2 * (1 + tanh(sqrt(2 / pi) (g + 0.044715 g^3)))      (Hendrycks and Gimpel 2016)
//   gate, up, out : [count]; out may be gate
using GatedUnitFn = void(const float* gate, const float* up, std::int64_t count, float* out);

GatedUnitFn SwiGluRef;
GatedUnitFn GeGluRef;

// One value, in double, for the references of products that gate their own sums.
double GatedRef(GateActivation activation, double gate, double up);

}  // namespace kernels
