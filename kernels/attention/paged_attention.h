#pragma once

#include <cstdint>

#include "kernels/kvcache/paged_kv.h"

namespace kernels {

// Attention of one token's query heads that share one key/value head (grouped-query attention: Ainslie et al. 2023):
//   out[g] = sum_p softmax_p(scale * q[g] . k[p]) v[p]      over positions p in [first, context)
//   first  = 0, or max(0, context - window) where a window slides (Beltagy et al. 2020)
//   block_ids : [ceil(context / block_size)] the sequence's blocks
//   q, out    : [group][head_dim]
// REQUIRES: context >= 1, window >= 0, block_size <= kKvBlockSizeMax, head_dim a multiple of 16 and <= kHeadDimMax.
//
// The softmax is computed online, block by block (Milakov and Gimelshein 2018), so K and V are read once. Blocks are
// met in position order and nothing depends on other rows: a token's output has the same bits however its sequence was
// cut into chunks. Blocks outside [first, context) are never read: their ids and slots may hold anything.
struct PagedAttention {
  PagedKv kv;
  std::int64_t kv_head;
  const std::uint32_t* block_ids;
  std::int64_t context;
  std::int64_t group;
  float scale;
  std::int64_t window = 0;  // positions that a token sees, its own among them; 0: all

  // Always inlined: files with different instruction sets include this, and share no function.
  [[gnu::always_inline]] std::int64_t first() const { return window > 0 && context > window ? context - window : 0; }
};
using PagedAttentionFn = void(const PagedAttention& attention, const float* q, float* out);

PagedAttentionFn PagedAttentionRef;

}  // namespace kernels
