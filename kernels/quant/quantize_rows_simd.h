#pragma once

#include <cstdint>

#include "kernels/quant/quantize_rows.h"

namespace kernels {

// See quantize_rows.h. S is one of the vector targets in kernels/primitives.
template <class S>
inline void QuantizeRow(const float* x, const QuantizedRows& to, std::int64_t row) {
  for (std::int64_t b = 0; b < to.columns / 32; ++b, x += 32) {
    auto largest = S::Zero(), poison = S::Zero();
    for (int i = 0; i < 32; i += S::kLanes) {
      const auto v = S::Load(x + i);
      largest = S::Max(largest, S::Max(v, S::Sub(S::Zero(), v)));
      poison = S::Fma(v, S::Zero(), poison);  // NaN if v is NaN or infinite
    }
    const float most = S::ReduceMax(largest);
    const float inverse = most > 0.0F ? 127.0F / most : 0.0F;
    const auto inverse_v = S::Set1(inverse);
    std::int8_t* values = to.values + (b * to.rows + row) * 32;
    auto sum = S::Zero();
    for (int i = 0; i < 32; i += S::kLanes) {
      const auto q = S::Round(S::Mul(S::Load(x + i), inverse_v));
      sum = S::Add(sum, q);
      S::StoreI8(values + i, q);
    }
    const float scale = most / 127.0F + S::ReduceSum(poison);
    float* scales = to.scales + (b * to.rows + row) * 2;
    scales[0] = scale;
    scales[1] = scale * S::ReduceSum(sum);
  }
}

}  // namespace kernels
