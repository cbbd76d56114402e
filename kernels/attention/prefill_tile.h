#pragma once

#include "kernels/attention/prefill_attention_gpu.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/exp2.h"

namespace kernels::gpu {

// What the prefill kernels share: which rows a tile holds, and the online softmax over accumulator fragments.
//
// The query heads that share a key/value head are packed into the rows of a tile: packed row r is head r % group of
// token r / group. A short chunk then still fills a tile, and the square on the diagonal, half of which is wasted,
// covers fewer keys.

struct PrefillShape {
  std::int32_t group;        // heads / kv_heads
  std::int32_t block_shift;  // log2(block_size)
  std::int32_t tiles;        // of the longest chunk
  float scale_log2;          // scale * k_scale * log2(e): scores are kept in powers of two
};

inline PrefillShape PrefillShapeOf(const PrefillAttention& a, std::int32_t tile_rows) {
  PrefillShape shape{};
  shape.group = a.heads / a.kv.kv_heads;
  while ((1 << shape.block_shift) < a.kv.block_size) ++shape.block_shift;
  shape.tiles = static_cast<std::int32_t>(BlocksFor(std::int64_t{a.chunk_max} * shape.group, tile_rows));
  shape.scale_log2 = a.scale * 1.44269504F * (a.kv.format == KvFormat::kFp8 ? a.kv.k_scale : 1.0F);
  return shape;
}

#if defined(GPU_EMULATOR) || defined(__CUDACC__)

struct QueryTile {
  const std::uint32_t* block_ids;  // of the sequence
  std::int32_t first_row;          // of the sequence in the step
  std::int32_t position;           // of first_row
  std::int32_t first;              // packed row that the tile starts with
  std::int32_t packed_rows;        // of the sequence; the tile is empty where first >= packed_rows
  std::int32_t keys;               // no row of the tile attends to a position at or beyond this one
  std::int32_t keys_of_all;        // all rows attend to the positions below this one

  __device__ bool empty() const { return first >= packed_rows; }
  // The last position that packed row `first + row` attends to. Rows beyond the chunk copy its last one: their results
  // are dropped, but no row is without a key.
  __device__ std::int32_t LastKey(std::int32_t row, std::int32_t group) const {
    const std::int32_t packed = first + row < packed_rows ? first + row : packed_rows - 1;
    return position + packed / group;
  }
};

__device__ __forceinline__ QueryTile FindTile(const PrefillAttention& a, std::int32_t group, std::int32_t sequence,
                                              std::int32_t tile, std::int32_t tile_rows) {
  QueryTile found{};
  found.first_row = a.rows.row_begin[sequence];
  found.packed_rows = (a.rows.row_begin[sequence + 1] - found.first_row) * group;
  found.first = tile * tile_rows;
  if (found.empty()) return found;
  found.block_ids = a.rows.block_ids + a.rows.block_begin[sequence];
  found.position = a.rows.positions[found.first_row];
  found.keys = found.LastKey(tile_rows - 1, group) + 1;
  found.keys_of_all = found.LastKey(0, group) + 1;
  return found;
}

// Softmax of the rows `lane / 4` and `lane / 4 + 8` of a 16-row accumulator (layout: primitives/gpu/mma.h), key tile by
// key tile. A row's four lanes hold the same maximum; each sums its own columns, joined at the end.
struct RowPairSoftmax {
  float max[2] = {-INFINITY, -INFINITY};  // of the scores, in powers of two; what is subtracted
  float sum[2] = {0.0F, 0.0F};            // of this lane's columns

  // A maximum that grows by less than this is left alone: the weights then reach 2^8 instead of 1, which costs neither
  // BF16 nor F32 a bit, and most tiles rescale nothing (Zadouri et al. 2026, "FlashAttention-4").
  static constexpr float kSlack = 8.0F;

  // Turns scores into weights, in place. `factor`: by what the earlier output has to be multiplied; 1 where it stays.
  template <int kTiles>
  __device__ __forceinline__ void Update(float (&scores)[kTiles][4], float scale_log2, float (&factor)[2]) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float most = fmaxf(scores[0][2 * half], scores[0][2 * half + 1]);
#pragma unroll
      for (int tile = 1; tile < kTiles; ++tile) {
        most = fmaxf(most, fmaxf(scores[tile][2 * half], scores[tile][2 * half + 1]));
      }
      most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 1));
      most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 2)) * scale_log2;
      const float before = max[half];
      max[half] = most > before + kSlack ? most : before;
      factor[half] = most > before + kSlack ? Exp2(before - most) : 1.0F;
      float total = 0.0F;
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          scores[tile][i] = Exp2(fmaf(scores[tile][i], scale_log2, -max[half]));
          total += scores[tile][i];
        }
      }
      sum[half] = fmaf(sum[half], factor[half], total);
    }
  }

  // What the output is multiplied by at the end.
  __device__ __forceinline__ float Normalizer(int half, float v_scale) const {
    float total = sum[half] + __shfl_xor_sync(kAllLanes, sum[half], 1);
    total += __shfl_xor_sync(kAllLanes, total, 2);
    return v_scale / total;
  }
};

// Scores of keys beyond what a row attends to become minus infinity.
//   first_key : the key of this lane's first column: the tile's plus 2 (lane % 4)
template <int kTiles>
__device__ __forceinline__ void MaskScores(float (&scores)[kTiles][4], std::int32_t first_key,
                                           const std::int32_t (&last)[2]) {
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (first_key + tile * 8 + i % 2 > last[i / 2]) scores[tile][i] = -INFINITY;
    }
  }
}

template <int kTiles>
__device__ __forceinline__ void ScaleRows(float (&values)[kTiles][4], const float (&factor)[2]) {
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int i = 0; i < 4; ++i) values[tile][i] *= factor[i / 2];
  }
}

// Writes one lane's part of 16 rows of output; `row`: of this lane's upper row in the tile.
template <int kTiles>
__device__ __forceinline__ void StoreRows(const float (&out)[kTiles][4], const RowPairSoftmax& softmax,
                                          const QueryTile& tile, const PrefillAttention& a, std::int32_t group,
                                          std::int32_t kv_head, std::int32_t row) {
  const float v_scale = a.kv.format == KvFormat::kFp8 ? a.kv.v_scale : 1.0F;
  const int pair = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float normalizer = softmax.Normalizer(half, v_scale);
    const std::int32_t packed = tile.first + row + half * 8;
    if (packed >= tile.packed_rows) continue;
    const std::int64_t token = tile.first_row + packed / group, head = kv_head * group + packed % group;
    auto* y = reinterpret_cast<std::uint32_t*>(a.y + (token * a.heads + head) * (kTiles * 8));
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      y[i * 4 + pair] = PackBf16(out[i][2 * half] * normalizer, out[i][2 * half + 1] * normalizer);
    }
  }
}

#endif

}  // namespace kernels::gpu
