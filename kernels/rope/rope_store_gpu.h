#pragma once

#include <cstdint>

#include "kernels/kvcache/paged_kv_gpu.h"
#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

// What some models do to the heads before they are rotated; nullptr: nothing of it.
//   bias           : [(heads + 2 kv_heads) * head_dim], added to Q, K and V (Qwen2)
//   q_norm, k_norm : [head_dim], both or none: each head of Q and of K is divided by the root of its mean square (plus
//                    eps) and multiplied with these (Qwen3). REQUIRES: head_dim is a power of two, eps > 0
struct HeadsBeforeRope {
  const float* bias = nullptr;
  const float* q_norm = nullptr;
  const float* k_norm = nullptr;
  float eps = 0;
};

// Rotates the queries in place and writes the rotated keys and the values of every row into its sequence's blocks: one
// pass over the output of the QKV product (kernels/rope/rope.h has the formula; neighbouring pairs).
//   qkv   : [rows][(heads + 2 kv_heads) * head_dim], Q then K then V
//   table : [positions][2][head_dim] as FillRopeTable makes it
// REQUIRES: positions within the table and within the sequence's blocks; 16-byte aligned pointers. A row whose position
// lies outside the table is left alone, and a block id outside the pool gets nothing written.
struct RopeStore {
  Bf16* qkv;
  std::int32_t heads;
  const float* table;
  std::int32_t table_positions;
  StepRows rows;
  const std::int32_t* sequence_of_row;  // [rows]
  PagedKv kv;
  // The arrays of `rows` and sequence_of_row were complete before the kernel that precedes in the stream started (the
  // host copied them at the start of the step): they are then read while it still runs. The table always must be.
  bool rows_settled = false;
  HeadsBeforeRope before{};
};
LaunchResult RunRopeStore(const RopeStore& rope, Stream stream);

}  // namespace kernels::gpu
