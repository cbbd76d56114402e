#include "kernels/kvcache/paged_kv.h"
#include "kernels/quant/half.h"

namespace kernels {

void StoreKvRef(const PagedKv& kv, std::uint32_t block_id, std::int64_t slot, const float* k, const float* v) {
  for (std::int64_t h = 0; h < kv.kv_heads; ++h) {
    const std::int64_t offset = ((block_id * kv.kv_heads + h) * kv.block_size + slot) * kv.head_dim;
    for (std::int64_t i = 0; i < kv.head_dim; ++i) {
      const std::int64_t from = h * kv.head_dim + i;
      if (kv.format == KvFormat::kF32) {
        static_cast<float*>(kv.k)[offset + i] = k[from];
        static_cast<float*>(kv.v)[offset + i] = v[from];
      } else {
        static_cast<std::uint16_t*>(kv.k)[offset + i] = FloatToHalf(k[from]);
        static_cast<std::uint16_t*>(kv.v)[offset + i] = FloatToHalf(v[from]);
      }
    }
  }
}

}  // namespace kernels
