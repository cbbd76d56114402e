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

template <class S>
inline void StageValuesQ8(const PagedAttention& a, std::int64_t begin, std::int64_t from, std::int64_t end, float* to,
                          std::int64_t stride) {
  const std::int64_t block_size = a.kv.block_size, head_dim = a.kv.head_dim;
  for (std::int64_t block = from / block_size; block * block_size < end; ++block) {
    PrefetchRun(a, a.kv.k, block + SpanTokens(block_size) / block_size, S{});
    const std::uint8_t* run = RunOf(a, a.kv.v, block, S{});
    const float* scales = reinterpret_cast<const float*>(run + a.kv.slots() * head_dim);
    const std::int64_t left = end - block * block_size, used = left < block_size ? left : block_size;
    float* row = to + (block * block_size - begin) * stride;
    for (std::int64_t slot = 0; slot < used; slot += 4, row += 4 * stride) {
      typename S::F32 scale[4], zero[4];
      for (int i = 0; i < 4; ++i) {
        scale[i] = S::Set1(scales[slot + i]);
        zero[i] = S::Mul(scale[i], S::Set1(-128.0F));
      }
      for (std::int64_t d = 0; d < head_dim; d += S::kLanes) {
        const std::uint8_t* fours = run + (slot / 4 * head_dim + d) * 4;
        S::Store(row + d, S::Fma(S::template ByteOfFour<0>(fours), scale[0], zero[0]));
        S::Store(row + d + stride, S::Fma(S::template ByteOfFour<1>(fours), scale[1], zero[1]));
        S::Store(row + d + 2 * stride, S::Fma(S::template ByteOfFour<2>(fours), scale[2], zero[2]));
        S::Store(row + d + 3 * stride, S::Fma(S::template ByteOfFour<3>(fours), scale[3], zero[3]));
      }
    }
  }
}

// Where the vectors of a span's keys lie, and each token's scale.
template <class S>
struct KeysQ8 {
  const std::uint8_t* keys[kSpanTokensMax];  // of a vector of tokens; a block of one token fills one
  std::int64_t at[kSpanTokensMax];           // position - begin of its first lane
  std::int64_t vectors = 0;

  KeysQ8(const PagedAttention& a, std::int64_t begin, std::int64_t from, std::int64_t end, float* scales) {
    const std::int64_t slots = a.kv.slots(), block_size = a.kv.block_size;
    for (std::int64_t block = from / block_size; block * block_size < end; ++block) {
      PrefetchRun(a, a.kv.v, block, S{});
      const std::uint8_t* run = RunOf(a, a.kv.k, block, S{});
      const std::uint8_t* run_scales = run + slots * a.kv.head_dim;
      const std::int64_t left = end - block * block_size, used = left < block_size ? left : block_size;
      const std::int64_t column = block * block_size - begin;
      for (std::int64_t v = 0; v < used; v += S::kLanes) {
        keys[vectors] = run + v * 4;
        at[vectors++] = column + v;
      }
      __builtin_memcpy(scales + column, run_scales, static_cast<std::size_t>(used) * sizeof(float));
    }
  }
};

}  // namespace kernels
