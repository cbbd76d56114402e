#include <algorithm>
#include <cmath>

#include "kernels/kvcache/paged_kv.h"
#include "kernels/quant/half.h"
#include "kernels/quant/rounding_factor.h"

namespace kernels {
namespace {

// Where element i of the token in `slot` lies in a head's run.
std::int64_t ElementAt(const PagedKv& kv, bool key, std::int64_t slot, std::int64_t i) {
  const std::int64_t together = kv.format == KvFormat::kQ8 ? 4 : 1;
  const std::int64_t outer = key ? i : slot, inner = key ? slot : i, inners = key ? kv.slots() : kv.head_dim;
  return (outer / together * inners + inner) * together + outer % together;
}

void StoreHead(const PagedKv& kv, bool key, std::int64_t slot, const float* x, std::uint8_t* run) {
  if (kv.format != KvFormat::kQ8) {
    for (std::int64_t i = 0; i < kv.head_dim; ++i) {
      const std::int64_t at = ElementAt(kv, key, slot, i);
      if (kv.format == KvFormat::kF32) {
        reinterpret_cast<float*>(run)[at] = x[i];
      } else {
        reinterpret_cast<std::uint16_t*>(run)[at] = FloatToHalf(x[i]);
      }
    }
    return;
  }
  float largest = 0.0F, poison = 0.0F;
  for (std::int64_t i = 0; i < kv.head_dim; ++i) {
    largest = std::max(largest, std::fabs(x[i]));
    poison += x[i] * 0.0F;  // NaN if x is NaN or infinite
  }
  const float inverse = RoundingFactor(largest);
  for (std::int64_t i = 0; i < kv.head_dim; ++i) {
    const float q = std::nearbyint(x[i] * inverse);
    run[ElementAt(kv, key, slot, i)] = static_cast<std::uint8_t>(128 + (q >= -127.0F && q <= 127.0F ? q : 0.0F));
  }
  reinterpret_cast<float*>(run + kv.slots() * kv.head_dim)[slot] = largest / 127.0F + poison;
}

}  // namespace

void StoreKvRef(const PagedKv& kv, std::uint32_t block_id, std::int64_t slot, const float* k, const float* v) {
  for (std::int64_t h = 0; h < kv.kv_heads; ++h, k += kv.head_dim, v += kv.head_dim) {
    StoreHead(kv, /*key=*/true, slot, k, static_cast<std::uint8_t*>(kv.k) + kv.HeadRun(block_id, h));
    StoreHead(kv, /*key=*/false, slot, v, static_cast<std::uint8_t*>(kv.v) + kv.HeadRun(block_id, h));
  }
}

}  // namespace kernels
