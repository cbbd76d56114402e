#pragma once

#include <cstdint>

#include "kernels/primitives/exp_simd.h"
#include "kernels/primitives/gated_unit.h"

namespace kernels {

// Both activations are g times a logistic function, g / (1 + exp(-s)): of s = g, and, because (1 + tanh z) / 2 is
// 1 / (1 + exp(-2z)), of s = 2 sqrt(2 / pi) (g + 0.044715 g^3).
template <class S>
struct SiluArgument {
  static typename S::F32 Negated(typename S::F32 g) { return S::Sub(S::Zero(), g); }
};
template <class S>
struct GeluArgument {
  static typename S::F32 Negated(typename S::F32 g) {
    constexpr float kLinear = -1.5957691216F, kCubic = kLinear * 0.044715F;
    return S::Mul(g, S::Fma(S::Mul(g, g), S::Set1(kCubic), S::Set1(kLinear)));
  }
};

template <class S, class Argument>
inline void GatedUnit(const float* gate, const float* up, std::int64_t count, float* out) {
  const auto one = S::Set1(1.0F);
  const auto vector = [&](typename S::F32 g, typename S::F32 u) {
    return S::Mul(S::Div(g, S::Add(one, Exp<S>(Argument::Negated(g)))), u);
  };
  std::int64_t i = 0;
  for (; i + S::kLanes <= count; i += S::kLanes) S::Store(out + i, vector(S::Load(gate + i), S::Load(up + i)));
  if (i == count) return;
  const int left = static_cast<int>(count - i);
  float tail[S::kLanes];
  S::Store(tail, vector(S::LoadPartial(gate + i, left), S::LoadPartial(up + i, left)));
  for (int lane = 0; lane < left; ++lane) out[i + lane] = tail[lane];
}

// See gated_unit.h.
template <class S>
inline void SwiGlu(const float* gate, const float* up, std::int64_t count, float* out) {
  GatedUnit<S, SiluArgument<S>>(gate, up, count, out);
}
template <class S>
inline void GeGlu(const float* gate, const float* up, std::int64_t count, float* out) {
  GatedUnit<S, GeluArgument<S>>(gate, up, count, out);
}

// One of both, for products that gate their own sums.
template <class S>
inline void GatedBy(GateActivation activation, const float* gate, const float* up, std::int64_t count, float* out) {
  if (activation == GateActivation::kGelu) {
    GeGlu<S>(gate, up, count, out);
  } else {
    SwiGlu<S>(gate, up, count, out);
  }
}

}  // namespace kernels
