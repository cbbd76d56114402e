#pragma once

#include <cstdint>

#include "kernels/attention/paged_attention.h"

namespace kernels {

// Brings keys and values to the cache a span before they are read: a call's own, and at its end those of the call that
// its thread makes next. A single row's attention reads each of them once, from places all over the pool: computing and
// waiting take about as long, and without this they take turns. S keeps the instantiations of different instruction
// sets apart.
//
// Inlined, because GCC leaves out the call of a function that does nothing but prefetch.
template <class S>
class FetchNext {
 public:
  //   span : that the call computes first     all : also those behind it
  FetchNext(const PagedAttention& a, std::int64_t span, bool all) : own_(a), next_(a.next) {
    if (a.rows > 1) return;  // reads what it reads many times
    const std::int64_t span_blocks = SpanTokens(a.kv.block_size) / a.kv.block_size;
    if (all) {
      own_block_ = (span + 1) * span_blocks;
      own_end_ = Blocks(a);
    }
    if (next_ == nullptr) return;
    const std::int64_t begin = a.next_span * span_blocks, end = begin + span_blocks;
    const std::int64_t seen = next_->first(next_->context) / next_->kv.block_size;
    next_block_ = begin > seen ? begin : seen;  // ids before the window may be anything
    next_end_ = end < Blocks(*next_) ? end : Blocks(*next_);
  }

  [[gnu::always_inline]] void Fetch(std::int64_t blocks) {
    for (; blocks > 0 && own_block_ < own_end_; --blocks) FetchBlock(own_, own_block_++);
    for (; blocks > 0 && next_block_ < next_end_; --blocks) FetchBlock(*next_, next_block_++);
  }

 private:
  static std::int64_t Blocks(const PagedAttention& a) { return (a.context + a.rows - 2) / a.kv.block_size + 1; }

  [[gnu::always_inline]] static void FetchBlock(const PagedAttention& a, std::int64_t block) {
    const std::int64_t run = a.kv.HeadRun(a.block_ids[block], a.kv_head), bytes = a.kv.HeadRunBytes();
    const auto* k = static_cast<const std::uint8_t*>(a.kv.k) + run;
    const auto* v = static_cast<const std::uint8_t*>(a.kv.v) + run;
    for (std::int64_t line = 0; line < bytes; line += 64) __builtin_prefetch(k + line);
    for (std::int64_t line = 0; line < bytes; line += 64) __builtin_prefetch(v + line);
  }

  const PagedAttention& own_;
  const PagedAttention* next_;
  std::int64_t own_block_ = 0, own_end_ = 0, next_block_ = 0, next_end_ = 0;
};

}  // namespace kernels
