#pragma once

#include <cstdint>

#include "kernels/kvcache/paged_kv_gpu.h"
#include "kernels/primitives/gpu/aligned.h"
#include "kernels/primitives/gpu/launch_result.h"

// What the launchers of the kernels over a paged cache check of it; private to kernels/.
namespace kernels::gpu {

// A scale that can be divided by: also its inverse is a number above zero.
inline bool ValidKvScale(float scale) { return scale > 0.0F && 1.0F / scale > 0.0F; }

// The shape. Looked at even where there is no row to compute.
inline LaunchResult CheckPagedKv(const PagedKv& kv) {
  GPU_REQUIRE(kv.format == KvFormat::kBf16 || kv.format == KvFormat::kFp8);
  GPU_REQUIRE(kv.head_dim == 64 || kv.head_dim == 96 || kv.head_dim == 128 || kv.head_dim == 256);
  GPU_REQUIRE(kv.block_size == 16 || kv.block_size == 32 || kv.block_size == 64 || kv.block_size == 128);
  GPU_REQUIRE(kv.blocks_total > 0 && kv.kv_heads > 0);
  GPU_REQUIRE(kv.format == KvFormat::kBf16 || (ValidKvScale(kv.k_scale) && ValidKvScale(kv.v_scale)));
  return LaunchResult::Ok();
}

// The memory, which is read and written 16 bytes at a time, and the arrays that lead to it.
inline LaunchResult CheckPagedKvMemory(const PagedKv& kv, const std::int32_t* positions,
                                       const std::int32_t* block_begin, const std::uint32_t* block_ids) {
  GPU_REQUIRE(kv.k != nullptr && Aligned(kv.k, 16) && kv.v != nullptr && Aligned(kv.v, 16));
  GPU_REQUIRE(positions != nullptr && Aligned(positions, 4) && block_begin != nullptr && Aligned(block_begin, 4));
  GPU_REQUIRE(block_ids != nullptr && Aligned(block_ids, 4));
  return LaunchResult::Ok();
}

}  // namespace kernels::gpu
