#include "kernels/primitives/gated_unit.h"

#include <cmath>
#include <numbers>

namespace kernels {

double GatedRef(GateActivation activation, double gate, double up) {
  if (activation == GateActivation::kSilu) return gate / (1.0 + std::exp(-gate)) * up;
  const double inner = std::sqrt(2.0 / std::numbers::pi) * (gate + 0.044715 * gate * gate * gate);
  return gate / 2.0 * (1.0 + std::tanh(inner)) * up;
}

void SwiGluRef(const float* gate, const float* up, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = gate[i] / (1.0F + std::exp(-gate[i])) * up[i];
}

void GeGluRef(const float* gate, const float* up, std::int64_t count, float* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    out[i] =
        static_cast<float>(GatedRef(GateActivation::kGelu, static_cast<double>(gate[i]), static_cast<double>(up[i])));
  }
}

}  // namespace kernels
