#pragma once

#include <cstdint>

#include "kernels/kvcache/paged_kv.h"

namespace kernels {

// Attention of neighbouring tokens of one sequence, for their query heads that share one key/value head (grouped-query
// attention: Ainslie et al. 2023). Row r sees n = context + r positions:
//   out[r][g] = sum_p softmax_p(scale * q[r][g] . k[p]) v[p]      over positions p in [first(n), n)
//   first(n)  = 0, or max(0, n - window) where a window slides (Beltagy et al. 2020)
//   block_ids : [ceil((context + rows - 1) / block_size)] the sequence's blocks
//   q, out    : [rows][group][head_dim], rows q_stride and out_stride floats apart
// REQUIRES: context, rows, group >= 1, rows * group <= kQueriesMax, window >= 0, block_size <= kKvBlockSizeMax,
// head_dim a multiple of 16 and <= kHeadDimMax.
//
// With a kQ8 cache the queries too are rounded to 8 bits, a scale each, and the weights of a span to 14 bits of its
// largest weight times value scale; their products with keys and values are exact.
//
// The positions are cut into spans of whole blocks (SpanTokens). A span's softmax is computed whole, and joined to that
// of the spans before it (online softmax: Milakov and Gimelshein 2018; tiles: Dao et al. 2022). Cuts and order depend
// on the position alone: a row's output has the same bits however its sequence was cut into chunks, a chunk into calls,
// and a call into spans. Blocks outside the rows' positions are never read: their ids and slots may hold anything.
struct PagedAttention {
  PagedKv kv;
  std::int64_t kv_head;
  const std::uint32_t* block_ids;
  std::int64_t context;  // positions that the first row sees, its own among them
  std::int64_t rows;
  std::int64_t group;
  float scale;
  std::int64_t window;  // positions that a row sees, its own among them; 0: all
  const float* q;
  std::int64_t q_stride;
  // nullptr, or the call that the same thread makes next, whose first keys and values are fetched meanwhile: those of
  // next_span, which has positions that its rows see.
  const PagedAttention* next = nullptr;
  std::int64_t next_span = 0;

  // Always inlined: files with different instruction sets include this, and share no function.
  [[gnu::always_inline]] constexpr std::int64_t first(std::int64_t positions) const {
    return window > 0 && positions > window ? positions - window : 0;
  }
};

inline constexpr std::int64_t kQueriesMax = 96;  // of a call: a prefill tile, over which reading K and V is spread
inline constexpr std::int64_t kSpanTokensMax = 256;

// Positions of a span: 128, up to whole blocks.
[[gnu::always_inline]] constexpr std::int64_t SpanTokens(std::int64_t block_size) {
  return (127 + block_size) / block_size * block_size;
}

// Floats of scratch memory, 64-byte aligned, that a call needs; its contents don't matter.
std::int64_t AttentionScratchFloats(std::int64_t head_dim);

// All spans of all rows.
using PagedAttentionFn = void(const PagedAttention& attention, float* scratch, float* out, std::int64_t out_stride);

// One span alone, for a long context that several threads share: part[group] of PartFloats() each, which hold the
// unnormalised sum [head_dim], the largest score (in the target's own unit) and the sum of weights.
// REQUIRES: rows == 1, and that the row sees some of the span.
using AttentionSpanFn = void(const PagedAttention& attention, std::int64_t span, float* scratch, float* part);
[[gnu::always_inline]] constexpr std::int64_t PartFloats(std::int64_t head_dim) { return head_dim + 16; }

// Joins the parts of a row's spans, in their order, to what PagedAttentionFn would have written, bit for bit.
//   parts : [spans][group][PartFloats()]      out : [group][head_dim]
using JoinSpansFn = void(const float* parts, std::int64_t spans, std::int64_t group, std::int64_t head_dim, float* out);

PagedAttentionFn PagedAttentionRef;
AttentionSpanFn AttentionSpanRef;
JoinSpansFn JoinSpansRef;

}  // namespace kernels
