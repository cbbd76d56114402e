#pragma once

#include <cstdint>

namespace kernels {

// See rope.h.
template <class S>
inline void RopeRow(float* x, std::int64_t heads, std::int64_t head_dim, const float* table_row) {
  for (std::int64_t h = 0; h < heads; ++h, x += head_dim) {
    for (std::int64_t i = 0; i < head_dim; i += S::kLanes) {
      const auto v = S::Load(x + i);
      const auto rotated = S::Mul(v, S::Load(table_row + i));
      S::Store(x + i, S::Fma(S::SwapPairs(v), S::Load(table_row + head_dim + i), rotated));
    }
  }
}

}  // namespace kernels
