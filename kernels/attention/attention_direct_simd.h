#pragma once

#include <cstdint>

#include "kernels/attention/attention_tile_simd.h"
#include "kernels/attention/stage_kv_simd.h"

namespace kernels {

// The products of attention_tile_simd.h for so few queries that bringing keys and values to F32 in memory would cost
// more than it saves: they are widened in registers. The chains of multiply-adds are the same, and so are the bits.

// c[q][at[v] + lane] = q . key of the position in that lane
template <class S, typename T, int kQueries, int kVectors>
inline void KeyTile(const float* const* q, const KeyVectors<S>& keys, std::int64_t first_vector, std::int64_t head_dim,
                    float* const* c) {
  TileSums<S, kQueries, kVectors> tile;
  tile.Clear();
  const T* rows[kVectors];
  for (int v = 0; v < kVectors; ++v) rows[v] = reinterpret_cast<const T*>(keys.keys[first_vector + v]);
  const std::int64_t stride = keys.row_bytes / static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t d = 0, offset = 0; d < head_dim; ++d, offset += stride) {
    typename S::F32 row[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) row[v] = LoadElement<S>(rows[v] + offset);
    tile.AddRow(q, d, row);
  }
  tile.Store(c, [&](int v) { return keys.at[first_vector + v]; });
}

template <class S, typename T, int kQueries = kTileQueries<S>>
inline void MultiplyKeys(int queries, const float* const* q, const KeyVectors<S>& keys, std::int64_t vectors,
                         std::int64_t head_dim, float* const* c) {
  if constexpr (kQueries > 1) {
    if (queries < kQueries) return MultiplyKeys<S, T, kQueries - 1>(queries, q, keys, vectors, head_dim, c);
  }
  std::int64_t v = 0;
  for (; v + kTileVectors <= vectors; v += kTileVectors) KeyTile<S, T, kQueries, kTileVectors>(q, keys, v, head_dim, c);
  for (; v < vectors; ++v) KeyTile<S, T, kQueries, 1>(q, keys, v, head_dim, c);
}

// sums[q][d ..) = sum over positions [first, end) of weights[q][position] * value
template <class S, typename T, int kQueries, int kVectors>
inline void ValueTile(const float* const* weights, const ValueRuns<S>& values, std::int64_t first, std::int64_t end,
                      float* const* c, std::int64_t d) {
  TileSums<S, kQueries, kVectors> tile;
  tile.Clear();
  for (std::int64_t position = first; position < end;) {
    const std::int64_t block = position / values.block_size, next = (block + 1) * values.block_size;
    const T* row =
        reinterpret_cast<const T*>(values.runs[block]) + (position - block * values.block_size) * values.head_dim + d;
    for (; position < next && position < end; ++position, row += values.head_dim) {
      typename S::F32 value[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) value[v] = LoadElement<S>(row + v * S::kLanes);
      tile.AddRow(weights, position, value);
    }
  }
  tile.Store(c, [&](int v) { return d + v * S::kLanes; });
}

template <class S, typename T, int kQueries = kTileQueries<S>>
inline void MultiplyValues(int queries, const float* const* weights, const ValueRuns<S>& values, std::int64_t first,
                           std::int64_t end, float* const* c) {
  if constexpr (kQueries > 1) {
    if (queries < kQueries) return MultiplyValues<S, T, kQueries - 1>(queries, weights, values, first, end, c);
  }
  std::int64_t d = 0;
  for (; d + kTileVectors * S::kLanes <= values.head_dim; d += kTileVectors * S::kLanes) {
    ValueTile<S, T, kQueries, kTileVectors>(weights, values, first, end, c, d);
  }
  for (; d < values.head_dim; d += S::kLanes) ValueTile<S, T, kQueries, 1>(weights, values, first, end, c, d);
}

}  // namespace kernels
