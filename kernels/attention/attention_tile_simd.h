#pragma once

#include <cstdint>

#include "kernels/attention/paged_attention.h"

namespace kernels {

// The products of attention for a few queries at once. Each element of a result is one chain of multiply-adds in the
// order of the depth, whatever shares the registers with it, so that a query's result depends on nothing else.

inline constexpr int kTileVectors = 4;

// Queries whose sums fill the registers: 6 x 4 of 32, 3 x 4 of 16.
template <class S>
inline constexpr int kTileQueries = S::kLanes == 16 ? 6 : 3;

// The sums of a tile, in registers.
template <class S, int kQueries, int kVectors>
struct TileSums {
  typename S::F32 sums[kQueries][kVectors];

  void Clear() {
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[q][v] = S::Zero();
    }
  }

  // sums[q] += factors[q][at] * row
  void AddRow(const float* const* factors, std::int64_t at, const typename S::F32* row) {
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      const auto factor = S::Set1(factors[q][at]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[q][v] = S::Fma(factor, row[v], sums[q][v]);
    }
  }

  // Vector v of query q to to[q] + at(v).
  template <class At>
  void Store(float* const* to, const At& at) const {
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) S::Store(to[q] + at(v), sums[q][v]);
    }
  }
};

// c[q][column] = sum_k a[q][k] * b[k][column] for kVectors vectors of columns
//   b : [depth] rows, b_stride floats apart
template <class S, int kQueries, int kVectors>
inline void MultiplyTile(const float* const* a, const float* b, std::int64_t b_stride, std::int64_t depth,
                         float* const* c, std::int64_t column) {
  TileSums<S, kQueries, kVectors> tile;
  tile.Clear();
  b += column;
  for (std::int64_t k = 0; k < depth; ++k, b += b_stride) {
    typename S::F32 row[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) row[v] = S::Load(b + v * S::kLanes);
    tile.AddRow(a, k, row);
  }
  tile.Store(c, [&](int v) { return column + v * S::kLanes; });
}

template <class S, int kQueries>
inline void MultiplyColumns(const float* const* a, const float* b, std::int64_t b_stride, std::int64_t depth,
                            float* const* c, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kTogether = kTileVectors * S::kLanes;
  std::int64_t column = begin;
  for (; column + kTogether <= end; column += kTogether) {
    MultiplyTile<S, kQueries, kTileVectors>(a, b, b_stride, depth, c, column);
  }
  for (; column < end; column += S::kLanes) MultiplyTile<S, kQueries, 1>(a, b, b_stride, depth, c, column);
}

// c[q][begin .. end) for `queries` queries. REQUIRES: 1 <= queries <= kTileQueries, whole vectors of columns.
template <class S, int kQueries = kTileQueries<S>>
inline void Multiply(int queries, const float* const* a, const float* b, std::int64_t b_stride, std::int64_t depth,
                     float* const* c, std::int64_t begin, std::int64_t end) {
  if constexpr (kQueries > 1) {
    if (queries < kQueries) return Multiply<S, kQueries - 1>(queries, a, b, b_stride, depth, c, begin, end);
  }
  MultiplyColumns<S, kQueries>(a, b, b_stride, depth, c, begin, end);
}

}  // namespace kernels
