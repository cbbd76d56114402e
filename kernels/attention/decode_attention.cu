#include <limits>

#include "kernels/attention/decode_attention_gpu.h"
#include "kernels/attention/decode_launch.h"
#include "kernels/attention/decode_softmax.h"
#include "kernels/attention/decode_walk.h"
#include "kernels/kvcache/check_paged_kv.h"
#include "kernels/primitives/gpu/device.h"

namespace kernels::gpu {
namespace {

LaunchResult CheckArguments(const DecodeAttention& attention) {
  const PagedKv& kv = attention.kv;
  const DecodeAttentionTuning& tuning = attention.tuning;
  GPU_RETURN_IF_ERROR(CheckPagedKv(kv));
  GPU_REQUIRE(attention.sequences >= 0);
  GPU_REQUIRE(attention.heads > 0 && attention.heads % kv.kv_heads == 0);
  GPU_REQUIRE(attention.heads / kv.kv_heads <= 2 * kHeadTile);
  GPU_REQUIRE(attention.context_max > 0);
  GPU_REQUIRE(attention.q_stride % 4 == 0 && attention.q_stride >= std::int64_t{attention.heads} * kv.head_dim);
  GPU_REQUIRE(tuning.stages == 0 || (tuning.stages >= kDecodeStagesMin && tuning.stages <= kDecodeStagesMax));
  GPU_REQUIRE(tuning.piece_tokens == 0 || tuning.piece_tokens >= 1 << kQuantumShift);
  GPU_REQUIRE(tuning.piece_tokens <= 1 << 16 && (tuning.piece_tokens & (tuning.piece_tokens - 1)) == 0);
  GPU_REQUIRE(tuning.blocks >= 0 && tuning.blocks <= 1 << 20 && tuning.tail_percent <= 100);
  GPU_REQUIRE(tuning.l2_bytes <= 0 || tuning.l2_bytes == 128 || tuning.l2_bytes == 256);
  // Shares are counted in 32 bits; the cut at most doubles a context.
  const std::int64_t quanta =
      (2 * std::int64_t{attention.context_max} + tuning.piece_tokens) / (1 << kQuantumShift) + 2;
  GPU_REQUIRE(std::int64_t{attention.sequences} * kv.kv_heads <= std::numeric_limits<std::int32_t>::max() / quanta);
  if (attention.sequences == 0) return LaunchResult::Ok();
  GPU_REQUIRE(attention.q != nullptr && Aligned(attention.q, 8) && attention.y != nullptr && Aligned(attention.y, 8));
  GPU_RETURN_IF_ERROR(CheckPagedKvMemory(kv, attention.positions, attention.block_begin, attention.block_ids));
  GPU_REQUIRE(attention.workspace != nullptr && Aligned(attention.workspace, 16));
  return LaunchResult::Ok();
}

}  // namespace

std::int64_t DecodeAttentionWorkspaceBytes(std::int32_t sequences_max, std::int32_t heads, std::int32_t head_dim) {
  return sequences_max * DecodeWorkspaceStride(heads, head_dim);
}

LaunchResult RunDecodeAttention(const DecodeAttention& attention, Stream stream) {
  GPU_RETURN_IF_ERROR(CheckArguments(attention));
  if (attention.sequences == 0) return LaunchResult::Ok();
  const PagedKv& kv = attention.kv;
  const bool fp8 = kv.format == KvFormat::kFp8;
  DecodeArguments a{};
  a.rows.positions = attention.positions;
  a.rows.sequences = attention.sequences;
  a.rows.kv_heads = kv.kv_heads;
  while (attention.tuning.piece_tokens > 1 << a.rows.shortest_shift) ++a.rows.shortest_shift;
  a.rows.long_shift = kv.head_dim * KvBytes(kv.format) >= 256 ? 8 : 9;
  a.q = attention.q;
  a.k = static_cast<const unsigned char*>(kv.k);
  a.v = static_cast<const unsigned char*>(kv.v);
  a.block_begin = attention.block_begin;
  a.block_ids = attention.block_ids;
  a.blocks_total = kv.blocks_total;
  a.y = attention.y;
  a.workspace = static_cast<unsigned char*>(attention.workspace);
  a.workspace_stride = DecodeWorkspaceStride(attention.heads, kv.head_dim);
  a.q_stride = attention.q_stride;
  a.heads = attention.heads;
  a.group = attention.heads / kv.kv_heads;
  a.block_shift = kv.block_size == 16 ? 4 : kv.block_size == 32 ? 5 : kv.block_size == 64 ? 6 : 7;
  a.l2_bytes = attention.tuning.l2_bytes < 0 ? 128 : attention.tuning.l2_bytes;
  constexpr float kLog2E = 1.44269504088896341F;
  a.score_scale = attention.scale * kLog2E * (fp8 ? kv.k_scale : 1.0F);
  a.v_scale = fp8 ? kv.v_scale : 1.0F;
  return fp8 ? LaunchDecodeFp8(attention, a, stream) : LaunchDecodeBf16(attention, a, stream);
}

}  // namespace kernels::gpu
