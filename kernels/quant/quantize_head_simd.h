#pragma once

#include <cstdint>

#include "kernels/quant/rounding_factor.h"

namespace kernels {

// Rounds one vector to 8 bits under one scale: x[i] = q[i] * scale, q within [-127, 127]. NaN and infinity make the
// scale NaN. Returns the scale. REQUIRES: count is a multiple of 16.
template <class S>
inline float QuantizeHead(const float* x, std::int64_t count, std::int8_t* q) {
  auto largest = S::Zero(), poison = S::Zero();
  for (std::int64_t i = 0; i < count; i += S::kLanes) {
    const auto v = S::Load(x + i);
    largest = S::Max(largest, S::Max(v, S::Sub(S::Zero(), v)));
    poison = S::Fma(v, S::Zero(), poison);
  }
  const float most = S::ReduceMax(largest);
  const auto inverse = S::Set1(RoundingFactor(most));
  for (std::int64_t i = 0; i < count; i += S::kLanes) S::StoreI8(q + i, S::Round(S::Mul(S::Load(x + i), inverse)));
  return most / 127.0F + S::ReduceSum(poison);
}

}  // namespace kernels
