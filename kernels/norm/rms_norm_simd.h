#pragma once

#include <cstdint>

namespace kernels {

// See rms_norm.h.
template <class S>
inline void RmsNorm(const float* x, const float* weight, float eps, std::int64_t rows, std::int64_t width, float* y) {
  for (std::int64_t r = 0; r < rows; ++r, x += width, y += width) {
    // Four chains of additions, because one would wait for itself.
    auto a = S::Zero(), b = S::Zero(), c = S::Zero(), d = S::Zero();
    const auto square = [&](std::int64_t at, auto sum) {
      const auto v = S::Load(x + at);
      return S::Fma(v, v, sum);
    };
    std::int64_t i = 0;
    for (; i + 4 * S::kLanes <= width; i += 4 * S::kLanes) {
      a = square(i, a);
      b = square(i + S::kLanes, b);
      c = square(i + 2 * S::kLanes, c);
      d = square(i + 3 * S::kLanes, d);
    }
    for (; i + S::kLanes <= width; i += S::kLanes) a = square(i, a);
    float sum = S::ReduceSum(S::Add(S::Add(a, b), S::Add(c, d)));
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
