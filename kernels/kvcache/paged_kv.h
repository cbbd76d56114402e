#pragma once

#include <cstdint>

namespace kernels {

enum class KvFormat { kF32, kF16 };

// One layer's keys and values, cut into blocks of block_size tokens (PagedAttention: Kwon et al. 2023). The token at
// position p of a sequence lies in block block_ids[p / block_size], slot p % block_size.
struct PagedKv {
  void* k;  // [blocks_total][kv_heads][block_size][head_dim]
  void* v;  // the same
  KvFormat format;
  std::int64_t kv_heads, block_size, head_dim;
};

inline constexpr std::int64_t kKvBlockSizeMax = 256;
inline constexpr std::int64_t kHeadDimMax = 512;

// Writes the keys and values of one token.
//   k, v : [kv_heads][head_dim]
using StoreKvFn = void(const PagedKv& kv, std::uint32_t block_id, std::int64_t slot, const float* k, const float* v);

StoreKvFn StoreKvRef;

}  // namespace kernels
