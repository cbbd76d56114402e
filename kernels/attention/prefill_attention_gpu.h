#pragma once

#include <cstdint>

#include "kernels/kvcache/paged_kv_gpu.h"
#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

// Attention of prefill chunks: rows row_begin[s] .. row_begin[s + 1] - 1 of sequence s have consecutive positions, and
// each attends to positions [0, its own], those of earlier chunks included (FlashAttention: Dao 2023; over blocks as
// kernels/attention/paged_attention.h describes them). On tensor cores: products of BF16 pairs, sums and softmax in F32.
//   q : [rows][q_stride], the first heads * head_dim of each row
//   y : [rows][heads * head_dim]
// The sequences are those of `rows`; `chunk_max` bounds the rows of one sequence and sizes the grid.
struct PrefillAttention {
  const Bf16* q;
  std::int32_t q_stride;
  PagedKv kv;
  StepRows rows;
  std::int32_t heads;
  std::int32_t chunk_max;
  float scale;
  Bf16* y;
};
LaunchResult RunPrefillAttention(const PrefillAttention& attention, Stream stream);

}  // namespace kernels::gpu
