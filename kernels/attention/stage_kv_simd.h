#pragma once

#include <cstdint>

#include "kernels/attention/paged_attention.h"

namespace kernels {

// A span's keys and values: where they lie, or brought to F32 and to one place, which pays for the many queries of a
// tile. `begin` is the span's first position, and blocks of [from, end) are read; what a block's padding holds may be
// read beyond `end`.

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

//   to : [head_dim][stride], a column a position
template <class S, typename T>
inline void StageKeys(const PagedAttention& a, std::int64_t begin, std::int64_t from, std::int64_t end, float* to,
                      std::int64_t stride) {
  const std::int64_t slots = a.kv.slots(), block_size = a.kv.block_size;
  for (std::int64_t block = from / block_size; block * block_size < end; ++block) {
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
    const T* run = reinterpret_cast<const T*>(RunOf(a, a.kv.v, block, S{}));
    const std::int64_t left = end - block * block_size, used = left < block_size ? left : block_size;
    float* row = to + (block * block_size - begin) * stride;
    for (std::int64_t slot = 0; slot < used; ++slot, row += stride, run += head_dim) {
      for (std::int64_t d = 0; d < head_dim; d += S::kLanes) S::Store(row + d, LoadElement<S>(run + d));
    }
  }
}

// The span's keys where they lie, as vectors of neighbouring positions.
template <class S>
struct KeyVectors {
  const std::uint8_t* keys[kSpanTokensMax];  // the first row of a vector; a block of one token fills one
  std::int64_t at[kSpanTokensMax];           // position - begin of its first lane
  std::int64_t vectors = 0;
  std::int64_t row_bytes;  // to the next element of the head, in kQ8 to the next four

  // `scales`, for kQ8 alone: [positions]
  KeyVectors(const PagedAttention& a, std::int64_t begin, std::int64_t from, std::int64_t end, float* scales) {
    const std::int64_t slots = a.kv.slots(), block_size = a.kv.block_size;
    const std::int64_t lane_bytes = a.kv.format == KvFormat::kF16 ? 2 : 4;
    row_bytes = slots * lane_bytes;
    for (std::int64_t block = from / block_size; block * block_size < end; ++block) {
      const std::uint8_t* run = RunOf(a, a.kv.k, block, S{});
      const std::int64_t left = end - block * block_size, used = left < block_size ? left : block_size;
      const std::int64_t column = block * block_size - begin;
      for (std::int64_t v = 0; v < used; v += S::kLanes) {
        keys[vectors] = run + v * lane_bytes;
        at[vectors++] = column + v;
      }
      if (a.kv.format != KvFormat::kQ8) continue;
      __builtin_memcpy(scales + column, run + slots * a.kv.head_dim, static_cast<std::size_t>(used) * sizeof(float));
    }
  }

  // Vectors that hold positions before `end`.
  std::int64_t Before(std::int64_t end) const {
    std::int64_t count = vectors;
    while (count > 1 && at[count - 1] >= end) --count;
    return count;
  }
};

// The span's values where they lie: each block's run.
template <class S>
struct ValueRuns {
  const std::uint8_t* runs[kSpanTokensMax];  // [block of the span], from the first that is read on
  std::int64_t head_dim, block_size, slots;

  void Enter(const PagedAttention& a, std::int64_t begin, std::int64_t from, std::int64_t end, float* scales) {
    head_dim = a.kv.head_dim;
    block_size = a.kv.block_size;
    slots = a.kv.slots();
    for (std::int64_t block = from / block_size; block * block_size < end; ++block) {
      const std::uint8_t* run = RunOf(a, a.kv.v, block, S{});
      runs[block - begin / block_size] = run;
      if (a.kv.format != KvFormat::kQ8) continue;
      const std::int64_t left = end - block * block_size, used = left < block_size ? left : block_size;
      __builtin_memcpy(scales + block * block_size - begin, run + slots * head_dim,
                       static_cast<std::size_t>(used) * sizeof(float));
    }
  }
};

}  // namespace kernels
