#pragma once

#include <cstdint>

#include "kernels/gemm/gemm.h"
#include "kernels/quant/dequantize_simd.h"

namespace kernels {

// See gemm.h. A tile of weight rows is widened to F32 once and stays in the first two cache levels while all rows of x
// pass by. The inner product runs along k in vectors; kRows x kColumns accumulators hide the latency of the multiply-add
// and let each loaded vector be used several times.
//
// Each element has one accumulator and meets k in ascending order whatever kRows and kColumns are: that is the
// determinism which gemm.h promises.
template <class S, int kRows, int kColumns>
inline void GemmMicroTile(const Gemm& gemm, const float* w, std::int64_t k_padded, std::int64_t m, std::int64_t n,
                          std::int64_t n_end) {
  static_assert(kColumns % 4 == 0);
  typename S::F32 sums[kRows][kColumns];
  for (auto& row : sums) {
    for (auto& sum : row) sum = S::Zero();
  }
  const float* x = gemm.x + m * gemm.x_stride;
  const auto accumulate = [&](std::int64_t k, const auto& load_x) __attribute__((always_inline)) {
    typename S::F32 x_k[kRows];
    for (int r = 0; r < kRows; ++r) x_k[r] = load_x(x + r * gemm.x_stride + k);
    for (int c = 0; c < kColumns; ++c) {
      const auto w_k = S::Load(w + c * k_padded + k);
      for (int r = 0; r < kRows; ++r) sums[r][c] = S::Fma(x_k[r], w_k, sums[r][c]);
    }
  };
  std::int64_t k = 0;
  for (; k + S::kLanes <= gemm.k; k += S::kLanes) accumulate(k, [](const float* p) { return S::Load(p); });
  if (k < gemm.k) {
    const int count = static_cast<int>(gemm.k - k);
    accumulate(k, [count](const float* p) { return S::LoadPartial(p, count); });
  }
  for (int r = 0; r < kRows; ++r) {
    float* y = gemm.y + (m + r) * gemm.y_stride;
    for (int c = 0; c < kColumns; c += 4) {
      float four[4];
      S::ReduceSum4(sums[r][c], sums[r][c + 1], sums[r][c + 2], sums[r][c + 3], four);
      for (int i = 0; i < 4 && n + c + i < n_end; ++i) {
        y[n + c + i] = gemm.accumulate ? y[n + c + i] + four[i] : four[i];
      }
    }
  }
}

// All rows of x against kGemmTileRows widened weight rows.
template <class S>
inline void GemmTile(const Gemm& gemm, const float* w, std::int64_t k_padded, std::int64_t n, std::int64_t n_end) {
  std::int64_t m = 0;
  for (; m + S::kGemmRows <= gemm.m; m += S::kGemmRows) {
    for (std::int64_t c = 0; c < kGemmTileRows && n + c < n_end; c += 4) {
      GemmMicroTile<S, S::kGemmRows, 4>(gemm, w + c * k_padded, k_padded, m, n + c, n_end);
    }
  }
  for (; m < gemm.m; ++m) {
    for (std::int64_t c = 0; c < kGemmTileRows && n + c < n_end; c += 8) {
      GemmMicroTile<S, 1, 8>(gemm, w + c * k_padded, k_padded, m, n + c, n_end);
    }
  }
}

template <class S>
inline void GemmColumns(const Gemm& gemm, std::int64_t n_begin, std::int64_t n_end, float* scratch) {
  const std::int64_t k_padded = (gemm.k + 15) / 16 * 16;
  const std::int64_t row_bytes = RowBytes(gemm.format, gemm.k);
  for (std::int64_t n = n_begin; n < n_end; n += kGemmTileRows) {
    for (std::int64_t r = 0; r < kGemmTileRows; ++r) {
      float* out = scratch + r * k_padded;
      if (n + r < n_end) {
        DequantizeRow<S>(gemm.format, gemm.w + (n + r) * row_bytes, gemm.k, out);
        for (std::int64_t k = gemm.k; k < k_padded; ++k) out[k] = 0.0F;
      } else {
        for (std::int64_t k = 0; k < k_padded; ++k) out[k] = 0.0F;
      }
    }
    GemmTile<S>(gemm, scratch, k_padded, n, n_end);
  }
}

}  // namespace kernels
