#pragma once

#include <cstdint>

namespace kernels {

// See rms_norm.h.
template <class S>
inline void RmsNorm(const float* x, const float* weight, float eps, std::int64_t rows, std::int64_t width, float* y) {
  for (std::int64_t r = 0; r < rows; ++r, x += width, y += width) {
    auto squares = S::Zero();
    std::int64_t i = 0;
    for (; i + S::kLanes <= width; i += S::kLanes) {
      const auto v = S::Load(x + i);
      squares = S::Fma(v, v, squares);
    }
    float sum = S::ReduceSum(squares);
    for (; i < width; ++i) sum += x[i] * x[i];
    const float scale = 1.0F / __builtin_sqrtf(sum / static_cast<float>(width) + eps);
    const auto scale_v = S::Set1(scale);
    for (i = 0; i + S::kLanes <= width; i += S::kLanes) {
      S::Store(y + i, S::Mul(S::Mul(S::Load(x + i), scale_v), S::Load(weight + i)));
    }
    for (; i < width; ++i) y[i] = x[i] * scale * weight[i];
  }
}

}  // namespace kernels
