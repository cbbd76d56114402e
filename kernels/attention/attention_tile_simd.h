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

// c[q][column] = sum_k a[q][k] * b[k][column] for kVectors vectors of columns
//   b : [depth] rows, b_stride floats apart
template <class S, int kQueries, int kVectors>
inline void MultiplyTile(const float* const* a, const float* b, std::int64_t b_stride, std::int64_t depth,
                         float* const* c, std::int64_t column) {
  typename S::F32 sums[kQueries][kVectors];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sums[q][v] = S::Zero();
  }
  b += column;
  for (std::int64_t k = 0; k < depth; ++k, b += b_stride) {
    typename S::F32 row[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) row[v] = S::Load(b + v * S::kLanes);
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      const auto factor = S::Set1(a[q][k]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[q][v] = S::Fma(factor, row[v], sums[q][v]);
    }
  }
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) S::Store(c[q] + column + v * S::kLanes, sums[q][v]);
  }
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

// c[q][at[v] + lane] = sum of the products of query q's bytes with those of the token in that lane, for kVectors
// vectors of tokens; exact, as long as it is below 2^24 (head_dim <= 512).
//   q    : [head_dim]             keys[v] : [head_dim / 4] rows of S::kLanes tokens, row_bytes apart
template <class S, int kQueries, int kVectors>
inline void DotTile(const std::int8_t* const* q, const std::uint8_t* const* keys, std::int64_t row_bytes,
                    std::int64_t head_dim, float* const* c, const std::int64_t* at) {
  typename S::I32 sums[kQueries][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sums[i][v] = S::ZeroI32();
  }
  for (std::int64_t k = 0, byte = 0; k < head_dim; k += 4, byte += row_bytes) {
    typename S::Bytes tokens[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) tokens[v] = S::LoadBytes(keys[v] + byte);
#pragma GCC unroll 8
    for (int i = 0; i < kQueries; ++i) {
      const auto four = S::Four(q[i] + k);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[i][v] = S::template Dot<false>(sums[i][v], tokens[v], four);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) S::Store(c[i] + at[v], S::ToFloat(sums[i][v]));
  }
}

// The same for any number of vectors. REQUIRES: 1 <= queries <= kTileQueries.
template <class S, int kQueries = kTileQueries<S>>
inline void Dot(int queries, const std::int8_t* const* q, const std::uint8_t* const* keys, std::int64_t vectors,
                std::int64_t row_bytes, std::int64_t head_dim, float* const* c, const std::int64_t* at) {
  if constexpr (kQueries > 1) {
    if (queries < kQueries) {
      return Dot<S, kQueries - 1>(queries, q, keys, vectors, row_bytes, head_dim, c, at);
    }
  }
  std::int64_t v = 0;
  for (; v + kTileVectors <= vectors; v += kTileVectors) {
    DotTile<S, kQueries, kTileVectors>(q, keys + v, row_bytes, head_dim, c, at + v);
  }
  for (; v < vectors; ++v) DotTile<S, kQueries, 1>(q, keys + v, row_bytes, head_dim, c, at + v);
}

}  // namespace kernels
