#pragma once

#include <cstdint>

#include "kernels/kvcache/paged_kv_gpu.h"
#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

// Which kernel computes it. kBest is the fastest that the card and the shape allow; tests and benchmarks name one,
// which is refused where it can't run.
enum class PrefillVariant {
  kBest,
  kWarp,               // mma.sync: every card, shape and format
  kWarpgroup,          // wgmma: capability 9.0, head_dim 64 or 128, BF16
  kWarpgroupPingPong,  // the same, its two warpgroups in turns on the tensor cores
};

// Attention of prefill chunks: rows row_begin[s] .. row_begin[s + 1] - 1 of sequence s have consecutive positions, and
// each attends to positions [0, its own], those of earlier chunks included (FlashAttention: Dao 2023; over blocks as
// kernels/attention/paged_attention.h describes them). On tensor cores: products of BF16 pairs, sums and softmax in
// F32.
//   q : [rows][q_stride], the first heads * head_dim of each row
//   y : [rows][heads * head_dim]
// The sequences are those of `rows`; `chunk_max` bounds the rows of one sequence and sizes the grid. A row's result
// depends on its own query and context alone: not on how its sequence was cut into chunks, nor on its neighbours. Slots
// beyond a sequence's context are not read; a NaN within it spoils also the rows before it in the same tile, and a
// block id outside the pool is a block of NaN. REQUIRES: q_stride a multiple of 8, scale > 0; q, k and v 16-byte
// aligned.
struct PrefillAttention {
  const Bf16* q;
  std::int32_t q_stride;
  PagedKv kv;
  StepRows rows;
  std::int32_t heads;
  std::int32_t chunk_max;
  float scale;
  Bf16* y;
  PrefillVariant variant = PrefillVariant::kBest;
};
LaunchResult RunPrefillAttention(const PrefillAttention& attention, Stream stream);

}  // namespace kernels::gpu
