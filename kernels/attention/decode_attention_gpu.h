#pragma once

#include <cstdint>

#include "kernels/kvcache/paged_kv_gpu.h"
#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

// What the benchmark tries; 0 (the last two: negative) leaves the choice to the launcher. `piece_tokens` alone
// changes bits of a result: it is a part of the arithmetic, the others say only who computes what and when.
struct DecodeAttentionTuning {
  std::int32_t stages = 0;         // tiles of 16 tokens that a warp keeps under way; 1 to 6
  std::int32_t piece_tokens = 0;   // the shortest piece, see below; a power of two from 128 on
  std::int32_t blocks = 0;         // that share the step evenly, but for the tail
  std::int32_t tail_percent = -1;  // of the work is left to small blocks that run as the others end
  std::int32_t l2_bytes = -1;      // that a copy asks the L2 cache to fetch; 0 (no wish), 128 or 256
};

// Attention of sequences that decode: one row each, over positions [0, its own] (formula: attention/paged_attention.h).
// Split over the context, so that a few long sequences fill the card; the query heads that share a key/value head are
// computed together, so K and V are read once. On tensor cores: products of BF16 pairs (half precision where K and V
// are FP8, which it holds exactly), sums and softmax in F32.
//   q          : [sequences][q_stride], the first heads * head_dim of each row; 8-byte aligned, q_stride a multiple of
//   4 positions, block_begin, block_ids: of these sequences, see StepRows; a row with a negative position is left out
//   workspace  : DecodeAttentionWorkspaceBytes, device memory, 16-byte aligned; must be zero before the first use. Its
//                counters are left zero, so launches of one stream share it as long as heads and head_dim stay the same
//   y          : [sequences][heads * head_dim]; 8-byte aligned
// `context_max` bounds positions[s] + 1 and sizes the grid: a captured graph serves every step below it. Real lengths
// are read on the device and the work shared out evenly, so short rows among long ones cost what they hold.
// REQUIRES: heads / kv_heads in 1 .. 16; k and v 16-byte aligned. A block id outside the pool is a block of NaN.
//
// A context is cut into pieces of 128 tokens up to 1,024 and of 256 up to 2,048. Longer ones are cut into pieces of 256
// tokens where a row of K has 256 bytes or more, of 512 where it has less; or, if those were more than 64, of the power
// of two that makes at most 64. Each is computed the same way wherever it runs and they are joined in order: a row's
// result depends on its own q, K and V alone, not on its neighbours, on context_max or on the card's size.
struct DecodeAttention {
  const Bf16* q;
  std::int32_t q_stride;
  PagedKv kv;
  const std::int32_t* positions;    // [sequences]
  const std::int32_t* block_begin;  // [sequences + 1]
  const std::uint32_t* block_ids;
  std::int32_t sequences, heads;
  std::int32_t context_max;
  float scale;
  void* workspace;
  Bf16* y;
  DecodeAttentionTuning tuning = {};
};
LaunchResult RunDecodeAttention(const DecodeAttention& attention, Stream stream);

// About 64 * heads * head_dim floats a sequence, of which a step touches what its pieces need.
std::int64_t DecodeAttentionWorkspaceBytes(std::int32_t sequences_max, std::int32_t heads, std::int32_t head_dim);

}  // namespace kernels::gpu
