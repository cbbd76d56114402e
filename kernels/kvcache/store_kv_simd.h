#pragma once

#include <cstdint>

#include "kernels/kvcache/paged_kv.h"

namespace kernels {

template <class S>
inline void StoreElements(float* out, const float* from, std::int64_t count, S /*target*/) {
  __builtin_memcpy(out, from, static_cast<std::size_t>(count) * sizeof(float));
}

template <class S>
inline void StoreElements(std::uint16_t* out, const float* from, std::int64_t count, S /*target*/) {
  for (std::int64_t i = 0; i < count; i += S::kLanes) S::StoreF16(out + i, S::Load(from + i));
}

template <class S, typename T>
inline void StoreKvAs(const PagedKv& kv, std::uint32_t block_id, std::int64_t slot, const float* k, const float* v) {
  for (std::int64_t h = 0; h < kv.kv_heads; ++h) {
    const std::int64_t offset = ((block_id * kv.kv_heads + h) * kv.block_size + slot) * kv.head_dim;
    StoreElements(static_cast<T*>(kv.k) + offset, k + h * kv.head_dim, kv.head_dim, S{});
    StoreElements(static_cast<T*>(kv.v) + offset, v + h * kv.head_dim, kv.head_dim, S{});
  }
}

// See paged_kv.h. REQUIRES: head_dim is a multiple of 16.
template <class S>
inline void StoreKv(const PagedKv& kv, std::uint32_t block_id, std::int64_t slot, const float* k, const float* v) {
  if (kv.format == KvFormat::kF32) {
    StoreKvAs<S, float>(kv, block_id, slot, k, v);
  } else {
    StoreKvAs<S, std::uint16_t>(kv, block_id, slot, k, v);
  }
}

}  // namespace kernels
