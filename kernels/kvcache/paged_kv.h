#pragma once

#include <cstdint>

namespace kernels {

// kQ8: 8 bits a value and an F32 scale a token and head, 0.53 times the memory of kF16 at a head_dim of 64.
enum class KvFormat { kF32, kF16, kQ8 };

// One layer's keys and values, cut into blocks of block_size tokens (PagedAttention: Kwon et al. 2023). The token at
// position p of a sequence lies in block block_ids[p / block_size], slot p % block_size.
//   k, v : [blocks_total][kv_heads] of a head's run of HeadRunBytes(), 64-byte aligned; with slots() >= block_size:
//     kF32, kF16  k : [head_dim][slots]          v : [slots][head_dim]
//     kQ8         k : [head_dim / 4][slots][4]   v : [slots / 4][head_dim][4]    then both: F32 scales [slots]
//                 value = (byte - 128) * scale, scale = largest magnitude of the token's head / 127
// Keys lie transposed, so that the scores of neighbouring tokens fill a vector without a reduction across its lanes. In
// kQ8, four neighbours of what the products sum over lie together: what a dot-product instruction takes.
// A block is contiguous in each plane, whatever the format, so that copying it is one memcpy.
//
// Functions here are always inlined: files with different instruction sets include this, and share no function.
struct PagedKv {
  void* k;
  void* v;
  KvFormat format;
  std::int64_t kv_heads, block_size, head_dim;

  // Slots of a block in memory: whole vectors of every target.
  [[gnu::always_inline]] constexpr std::int64_t slots() const { return (block_size + 15) / 16 * 16; }
  [[gnu::always_inline]] constexpr std::int64_t HeadRunBytes() const {
    if (format == KvFormat::kQ8) return slots() * (head_dim + 4);
    return slots() * head_dim * (format == KvFormat::kF32 ? 4 : 2);
  }
  [[gnu::always_inline]] constexpr std::int64_t HeadRun(std::int64_t block_id, std::int64_t kv_head) const {
    return (block_id * kv_heads + kv_head) * HeadRunBytes();
  }
  [[gnu::always_inline]] constexpr std::int64_t BlockBytes() const { return kv_heads * HeadRunBytes(); }
};

inline constexpr std::int64_t kKvBlockSizeMax = 256;
inline constexpr std::int64_t kHeadDimMax = 512;

// Writes the keys and values of one token. REQUIRES: head_dim is a multiple of 16 and <= kHeadDimMax.
//   k, v : [kv_heads][head_dim]
using StoreKvFn = void(const PagedKv& kv, std::uint32_t block_id, std::int64_t slot, const float* k, const float* v);

StoreKvFn StoreKvRef;

}  // namespace kernels
