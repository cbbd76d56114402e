#pragma once

#include <cstdint>

#include "kernels/kvcache/paged_kv_gpu.h"
#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

// Attention of sequences that decode: one row each, over positions [0, its own] (formula: attention/paged_attention.h).
// Split over the context, so that a few long sequences fill the card; the query heads that share a key/value head are
// computed together, so K and V are read once. The parts are joined in order: a row's result depends on its own context
// and on `splits_max` alone, never on its neighbours.
//   q          : [sequences][q_stride], the first heads * head_dim of each row
//   positions, block_begin, block_ids: of these sequences, see StepRows
//   workspace  : DecodeAttentionWorkspaceBytes, device memory; must be zero before the first use and is left zero
//   y          : [sequences][heads * head_dim]
// `context_max` bounds positions[s] + 1 and sizes the grid: a captured graph serves every step below it.
// REQUIRES: heads / kv_heads in 1 .. 16.
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
};
LaunchResult RunDecodeAttention(const DecodeAttention& attention, Stream stream);

std::int64_t DecodeAttentionWorkspaceBytes(std::int32_t sequences_max, std::int32_t heads, std::int32_t head_dim);

}  // namespace kernels::gpu
