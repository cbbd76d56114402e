#pragma once

#include <cstdint>

#include "kernels/primitives/exp_simd.h"

namespace kernels {

// See swiglu.h.
template <class S>
inline void SwiGlu(const float* gate, const float* up, std::int64_t count, float* out) {
  const auto one = S::Set1(1.0F);
  const auto vector = [&](typename S::F32 g, typename S::F32 u) {
    const auto denominator = S::Add(one, Exp<S>(S::Sub(S::Zero(), g)));
    return S::Mul(S::Div(g, denominator), u);
  };
  std::int64_t i = 0;
  for (; i + S::kLanes <= count; i += S::kLanes) S::Store(out + i, vector(S::Load(gate + i), S::Load(up + i)));
  if (i == count) return;
  const int left = static_cast<int>(count - i);
  float tail[S::kLanes];
  S::Store(tail, vector(S::LoadPartial(gate + i, left), S::LoadPartial(up + i, left)));
  for (int lane = 0; lane < left; ++lane) out[i + lane] = tail[lane];
}

}  // namespace kernels
