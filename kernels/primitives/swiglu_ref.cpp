#include <cmath>

#include "kernels/primitives/swiglu.h"

namespace kernels {

void SwiGluRef(const float* gate, const float* up, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = gate[i] / (1.0F + std::exp(-gate[i])) * up[i];
}

}  // namespace kernels
