#pragma once

#include <cstdint>

#include "kernels/attention/paged_attention.h"

namespace kernels {

// Brings a span's keys and values from its blocks to F32 and to their place: once for all queries of a call. `begin` is
// the span's first position, and blocks of [from, to) are read; what a block's padding holds may lie beyond `to`.

template <class S>
inline typename S::F32 LoadElement(const float* p) {
  return S::Load(p);
}
template <class S>
inline typename S::F32 LoadElement(const std::uint16_t* p) {
  return S::LoadF16(p);
}

template <class S>
inline const std::uint8_t* RunOf(const PagedAttention& a, const void* plane, std::int64_t block, S /*target*/) {
  return static_cast<const std::uint8_t*>(plane) + a.kv.HeadRun(a.block_ids[block], a.kv_head);
}

// Asks for a head's run of a block ahead of its use: blocks lie anywhere, so that the hardware can't foresee them, and
// keys and values alternate. REQUIRES: `block` is one that the call reads, or lies behind them all, which asks nothing.
template <class S>
inline void PrefetchRun(const PagedAttention& a, const void* plane, std::int64_t block, S /*target*/) {
  if (block * a.kv.block_size >= a.context + a.rows - 1) return;
  const std::uint8_t* run = RunOf(a, plane, block, S{});
  for (std::int64_t byte = 0; byte < a.kv.HeadRunBytes(); byte += 64) __builtin_prefetch(run + byte, 0, 2);
}

//   to : [head_dim][stride], a column a position
template <class S, typename T>
inline void StageKeys(const PagedAttention& a, std::int64_t begin, std::int64_t from, std::int64_t end, float* to,
                      std::int64_t stride) {
  const std::int64_t slots = a.kv.slots(), block_size = a.kv.block_size;
  for (std::int64_t block = from / block_size; block * block_size < end; ++block) {
    PrefetchRun(a, a.kv.v, block, S{});
    const T* run = reinterpret_cast<const T*>(RunOf(a, a.kv.k, block, S{}));
    const std::int64_t left = end - block * block_size, used = left < block_size ? left : block_size;
    float* column = to + block * block_size - begin;
    for (std::int64_t v = 0; v < used; v += S::kLanes) {
      for (std::int64_t d = 0; d < a.kv.head_dim; ++d) {
        S::Store(column + d * stride + v, LoadElement<S>(run + d * slots + v));
      }
    }
  }
}

//   to : [positions][stride], a row a position
template <class S, typename T>
inline void StageValues(const PagedAttention& a, std::int64_t begin, std::int64_t from, std::int64_t end, float* to,
                        std::int64_t stride) {
  const std::int64_t block_size = a.kv.block_size, head_dim = a.kv.head_dim;
  for (std::int64_t block = from / block_size; block * block_size < end; ++block) {
    PrefetchRun(a, a.kv.k, block + SpanTokens(block_size) / block_size, S{});
    const T* run = reinterpret_cast<const T*>(RunOf(a, a.kv.v, block, S{}));
    const std::int64_t left = end - block * block_size, used = left < block_size ? left : block_size;
    float* row = to + (block * block_size - begin) * stride;
    for (std::int64_t slot = 0; slot < used; ++slot, row += stride, run += head_dim) {
      for (std::int64_t d = 0; d < head_dim; d += S::kLanes) S::Store(row + d, LoadElement<S>(run + d));
    }
  }
}

}  // namespace kernels
