#pragma once

#include <cstdint>

#include "kernels/quant/rounding_factor.h"

namespace kernels {

// Rounds one vector to 8 bits under one scale: x[i] = q[i] * scale, q within [-127, 127]. NaN and infinity make the
// scale NaN. Calls store(i, q) with S::kLanes neighbours from i on. Returns the scale.
// REQUIRES: count is a multiple of 16.
template <class S, class Store>
inline __attribute__((always_inline)) float QuantizeHead(const float* x, std::int64_t count, const Store& store) {
  auto largest = S::ZeroI32();
  for (std::int64_t i = 0; i < count; i += S::kLanes) largest = S::LargerMagnitude(largest, S::Load(x + i));
  const float most = __builtin_bit_cast(float, S::ReduceMax(largest));
  const auto inverse = S::Set1(RoundingFactor(most));
  for (std::int64_t i = 0; i < count; i += S::kLanes) store(i, S::RoundToI32(S::Mul(S::Load(x + i), inverse)));
  return RoundingScale(most);
}

//   q : [count]
template <class S>
inline float QuantizeHead(const float* x, std::int64_t count, std::int8_t* q) {
  return QuantizeHead<S>(x, count, [&](std::int64_t i, typename S::I32 rounded) { S::StoreI8(q + i, rounded); });
}

}  // namespace kernels
