#pragma once

#include <cstdint>

#include "kernels/kvcache/paged_kv.h"

namespace kernels {

// Attention of one token's query heads that share one key/value head (grouped-query attention: Ainslie et al. 2023):
//   out[g] = sum_p softmax_p(scale * q[g] . k[p]) v[p]      over positions p in [0, context)
//   block_ids : [ceil(context / block_size)] the sequence's blocks
//   q, out    : [group][head_dim]
// REQUIRES: context >= 1, block_size <= kKvBlockSizeMax, head_dim a multiple of 16 and <= kHeadDimMax.
//
// The softmax is computed online, block by block (Milakov and Gimelshein 2018), so K and V are read once. Blocks are
// met in position order and nothing depends on other rows: a token's output has the same bits however its sequence was
// cut into chunks. Slots at and beyond `context` are never read; they may hold anything.
struct PagedAttention {
  PagedKv kv;
  std::int64_t kv_head;
  const std::uint32_t* block_ids;
  std::int64_t context;
  std::int64_t group;
  float scale;
};
using PagedAttentionFn = void(const PagedAttention& attention, const float* q, float* out);

PagedAttentionFn PagedAttentionRef;

}  // namespace kernels
