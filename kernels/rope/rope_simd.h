#pragma once

#include <cstdint>

#include "kernels/rope/rope.h"

namespace kernels {

template <class S>
inline void RopeNeighbours(float* x, std::int64_t head_dim, const float* table_row) {
  for (std::int64_t i = 0; i < head_dim; i += S::kLanes) {
    const auto v = S::Load(x + i);
    const auto rotated = S::Mul(v, S::Load(table_row + i));
    S::Store(x + i, S::Fma(S::SwapPairs(v), S::Load(table_row + head_dim + i), rotated));
  }
}

template <class S>
inline void RopeHalves(float* x, std::int64_t head_dim, const float* table_row) {
  const std::int64_t half = head_dim / 2;
  const float* partner = table_row + head_dim;
  std::int64_t i = 0;
  for (; i + S::kLanes <= half; i += S::kLanes) {
    const auto a = S::Load(x + i), b = S::Load(x + half + i);
    S::Store(x + i, S::Fma(b, S::Load(partner + i), S::Mul(a, S::Load(table_row + i))));
    S::Store(x + half + i, S::Fma(a, S::Load(partner + half + i), S::Mul(b, S::Load(table_row + half + i))));
  }
  for (; i < half; ++i) {  // heads of 16, 48, 80, ... values in the widest vectors
    const float a = x[i], b = x[half + i];
    x[i] = a * table_row[i] + b * partner[i];
    x[half + i] = b * table_row[half + i] + a * partner[half + i];
  }
}

// See rope.h.
template <class S>
inline void RopeRow(float* x, std::int64_t heads, std::int64_t head_dim, RopePairs pairs, const float* table_row) {
  for (std::int64_t h = 0; h < heads; ++h, x += head_dim) {
    if (pairs == RopePairs::kNeighbours) {
      RopeNeighbours<S>(x, head_dim, table_row);
    } else {
      RopeHalves<S>(x, head_dim, table_row);
    }
  }
}

}  // namespace kernels
