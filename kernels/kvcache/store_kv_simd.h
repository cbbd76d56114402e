#pragma once

#include <cstdint>

#include "kernels/kvcache/paged_kv.h"
#include "kernels/quant/quantize_head_simd.h"

namespace kernels {

// One token's keys of one head go down a column of their run, its values along a row. The column's stores are few bytes
// each; they cost a thousandth of what the token's matrix products do, and every later token reads the keys.
template <class S>
inline void StoreHeadF32(const PagedKv& kv, std::int64_t slot, const float* k, const float* v, float* k_run,
                         float* v_run, S /*target*/) {
  for (std::int64_t i = 0; i < kv.head_dim; ++i) k_run[i * kv.slots() + slot] = k[i];
  __builtin_memcpy(v_run + slot * kv.head_dim, v, static_cast<std::size_t>(kv.head_dim) * sizeof(float));
}

template <class S>
inline void StoreHeadF16(const PagedKv& kv, std::int64_t slot, const float* k, const float* v, std::uint16_t* k_run,
                         std::uint16_t* v_run, S /*target*/) {
  std::uint16_t halves[16];
  const std::int64_t slots = kv.slots();
  for (std::int64_t i = 0; i < kv.head_dim; i += 16) {
    for (int j = 0; j < 16; j += S::kLanes) S::StoreF16(halves + j, S::Load(k + i + j));
    for (std::int64_t j = 0; j < 16; ++j) k_run[(i + j) * slots + slot] = halves[j];
  }
  std::uint16_t* row = v_run + slot * kv.head_dim;
  for (std::int64_t i = 0; i < kv.head_dim; i += S::kLanes) S::StoreF16(row + i, S::Load(v + i));
}

template <class S>
inline void StoreHeadQ8(const PagedKv& kv, std::int64_t slot, const float* k, const float* v, std::uint8_t* k_run,
                        std::uint8_t* v_run, S /*target*/) {
  alignas(64) std::int8_t q[kHeadDimMax];
  const std::int64_t slots = kv.slots(), head_dim = kv.head_dim;
  const float k_scale = QuantizeHead<S>(k, head_dim, q);
  for (std::int64_t i = 0; i < head_dim; i += 4) {
    std::uint32_t four;
    __builtin_memcpy(&four, q + i, sizeof(four));
    four ^= 0x80808080U;  // + 128
    __builtin_memcpy(k_run + (i / 4 * slots + slot) * 4, &four, sizeof(four));
  }
  constexpr std::int32_t kOffset = 128;
  std::uint8_t* column = v_run + slot / 4 * head_dim * 4;
  const float v_scale = QuantizeHead<S>(v, head_dim, [&](std::int64_t i, typename S::I32 rounded) {
    S::StoreByteOfLanes(column + i * 4, static_cast<int>(slot % 4), S::Add(rounded, S::Set1I32(&kOffset)));
  });
  __builtin_memcpy(k_run + slots * head_dim + slot * 4, &k_scale, sizeof(k_scale));
  __builtin_memcpy(v_run + slots * head_dim + slot * 4, &v_scale, sizeof(v_scale));
}

// See paged_kv.h.
template <class S>
inline void StoreKv(const PagedKv& kv, std::uint32_t block_id, std::int64_t slot, const float* k, const float* v) {
  auto* k_run = static_cast<std::uint8_t*>(kv.k) + kv.HeadRun(block_id, 0);
  auto* v_run = static_cast<std::uint8_t*>(kv.v) + kv.HeadRun(block_id, 0);
  const std::int64_t run_bytes = kv.HeadRunBytes();
  for (std::int64_t h = 0; h < kv.kv_heads; ++h, k += kv.head_dim, v += kv.head_dim) {
    if (kv.format == KvFormat::kQ8) {
      StoreHeadQ8(kv, slot, k, v, k_run, v_run, S{});
    } else if (kv.format == KvFormat::kF16) {
      StoreHeadF16(kv, slot, k, v, reinterpret_cast<std::uint16_t*>(k_run), reinterpret_cast<std::uint16_t*>(v_run),
                   S{});
    } else {
      StoreHeadF32(kv, slot, k, v, reinterpret_cast<float*>(k_run), reinterpret_cast<float*>(v_run), S{});
    }
    k_run += run_bytes;
    v_run += run_bytes;
  }
}

}  // namespace kernels
