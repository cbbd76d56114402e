#pragma once

#include "kernels/attention/decode_attention_gpu.h"
#include "kernels/attention/decode_walk.h"

namespace kernels::gpu {

// Tiles that a warp's ring holds. One alone, which is copied only when the one before is done, for rows so long that a
// card has no room for two.
inline constexpr int kDecodeStagesMin = 1, kDecodeStagesMax = 6;

// What a launch computes, as the kernel takes it.
struct DecodeArguments {
  DecodeRows rows;
  const Bf16* q;
  const unsigned char* k;
  const unsigned char* v;
  const std::int32_t* block_begin;
  const std::uint32_t* block_ids;
  std::int32_t blocks_total;
  Bf16* y;
  unsigned char* workspace;
  std::int64_t workspace_stride;  // bytes a sequence
  std::int64_t q_stride;
  std::int32_t heads, group, block_shift, stages;
  std::int32_t l2_bytes;  // see DecodeAttentionTuning
  float score_scale;      // scale * k_scale / ln 2: the softmax is computed with powers of two
  float v_scale;
};

// Bytes of the workspace: the counters of a sequence, and all of it.
constexpr std::int64_t DecodeCounterBytes(std::int64_t heads) { return (heads * 4 + 255) / 256 * 256; }
constexpr std::int64_t DecodeWorkspaceStride(std::int64_t heads, std::int64_t head_dim) {
  return DecodeCounterBytes(heads) + heads * kPiecesMax * (static_cast<std::int64_t>(sizeof(float2)) + head_dim * 4);
}

// Starts the kernel for a checked `attention`, of which `a` holds all but what the launch decides. One translation unit
// each: they are the longest to compile.
LaunchResult LaunchDecodeBf16(const DecodeAttention& attention, const DecodeArguments& a, Stream stream);
LaunchResult LaunchDecodeFp8(const DecodeAttention& attention, const DecodeArguments& a, Stream stream);

}  // namespace kernels::gpu
