#pragma once

#include <cstdint>

#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

enum class KvFormat { kBf16, kFp8 };  // FP8 E4M3

constexpr std::int64_t KvBytes(KvFormat format) { return format == KvFormat::kBf16 ? 2 : 1; }

// One layer's keys and values in device memory, cut into blocks as kernels/kvcache/paged_kv.h describes them: the token
// at position p of a sequence lies in block block_ids[p / block_size], slot p % block_size.
//   k, v : [blocks_total][kv_heads][block_size][head_dim]
// REQUIRES of every kernel: block_size 16, 32, 64 or 128; head_dim 64, 96, 128 or 256; block ids below blocks_total.
// The caller checks them on the host; a kernel that meets a wrong id writes nothing there, and reads NaN.
//
// FP8 E4M3 reaches to 448: what lies beyond that times the scale is clipped to it, so that a model with such keys or
// values answers worse. Infinity and NaN are stored as NaN and end the answer, as they do with BF16.
struct PagedKv {
  void* k;
  void* v;
  KvFormat format;
  std::int32_t blocks_total, kv_heads, block_size, head_dim;
  float k_scale = 1.0F, v_scale = 1.0F;  // stored value = value / scale, FP8 alone
};

// Where the rows of a step lie: kvcache::StepBatch in device memory.
struct StepRows {
  const std::int32_t* positions;    // [rows]
  const std::int32_t* row_begin;    // [sequences + 1]
  const std::int32_t* block_begin;  // [sequences + 1]
  const std::uint32_t* block_ids;   // [block_begin[sequences]]
  std::int32_t rows, sequences;
};

// Copies whole blocks in every layer: the copy on write of a fork, and compaction.
//   pool  : the first plane; planes lie plane_bytes apart (a layer's keys, or its values)
//   pairs : [count][2] (from, to) in device memory; a block that is written is in no other pair
// REQUIRES: plane_bytes, block_bytes multiples of 16; block_bytes = kv_heads * block_size * head_dim * KvBytes
struct BlockCopy {
  void* pool;
  std::int64_t plane_bytes, block_bytes;
  std::int32_t planes, blocks_total;
  const std::uint32_t* pairs;
  std::int32_t count;
};
LaunchResult CopyBlocks(const BlockCopy& copy, Stream stream);

// Gathers blocks of every plane into one contiguous staging buffer, and back: what a swap to the host copies in one go.
//   ids     : [count] in device memory
//   staging : [planes][count][block_bytes]
struct BlockSwap {
  void* pool;
  std::int64_t plane_bytes, block_bytes;
  std::int32_t planes, blocks_total;
  const std::uint32_t* ids;
  std::int32_t count;
  void* staging;
};
LaunchResult GatherBlocks(const BlockSwap& swap, Stream stream);   // pool -> staging
LaunchResult ScatterBlocks(const BlockSwap& swap, Stream stream);  // staging -> pool

}  // namespace kernels::gpu
