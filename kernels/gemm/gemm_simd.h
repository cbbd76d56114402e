#pragma once

#include <cstdint>

#include "kernels/gemm/gemm.h"
#include "kernels/quant/dequantize_simd.h"

namespace kernels {

// See gemm.h. Weight rows are widened to F32 in pieces that stay in the cache while rows of x pass by. The inner
// product runs along k in vectors; kRows x kColumns accumulators hide the latency of the multiply-add and let each
// loaded vector be used several times.
//
// Each element has one vector of accumulators and meets k in ascending order, whatever the tile shapes and wherever k
// is cut: that is the determinism which gemm.h promises.
template <class S, int kRows, int kColumns>
struct GemmSums {
  typename S::F32 sums[kRows][kColumns];

  void Clear() {
    for (auto& row : sums) {
      for (auto& sum : row) sum = S::Zero();
    }
  }

  //   x : [kRows][x_stride], the first `count` of each;  w : [kColumns][w_stride], zero from `count` on
  void Add(const float* x, std::int64_t x_stride, const float* w, std::int64_t w_stride, std::int64_t count) {
    typename S::F32 own[kRows][kColumns];  // a copy, which the compiler may keep in registers: x and w can't alias it
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kColumns; ++c) own[r][c] = sums[r][c];
    }
    const auto step = [&](std::int64_t k, const auto& load_x) __attribute__((always_inline)) {
      typename S::F32 x_k[kRows];
      for (int r = 0; r < kRows; ++r) x_k[r] = load_x(x + r * x_stride + k);
      for (int c = 0; c < kColumns; ++c) {
        const auto w_k = S::Load(w + c * w_stride + k);
        for (int r = 0; r < kRows; ++r) own[r][c] = S::Fma(x_k[r], w_k, own[r][c]);
      }
    };
    std::int64_t k = 0;
    for (; k + S::kLanes <= count; k += S::kLanes) step(k, [](const float* p) { return S::Load(p); });
    if (k < count) {
      const int left = static_cast<int>(count - k);
      step(k, [left](const float* p) { return S::LoadPartial(p, left); });
    }
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kColumns; ++c) sums[r][c] = own[r][c];
    }
  }

  // Writes y[m + r][n + c] for columns below n_end.
  void Store(const Gemm& gemm, std::int64_t m, std::int64_t n, std::int64_t n_end) const {
    static_assert(kColumns % 4 == 0);
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
};

// Widens w[n .. n + rows)[k_begin .. k_end) to `out` with the given stride; rows from n_end on are zero, and so is what
// lies between k_end and the next multiple of 16.
template <class S>
inline void WidenRows(const Gemm& gemm, std::int64_t n, std::int64_t n_end, std::int64_t rows, std::int64_t k_begin,
                      std::int64_t k_end, float* out, std::int64_t stride) {
  const std::int64_t count = k_end - k_begin;
  const std::int64_t padded = (count + 15) / 16 * 16;
  for (std::int64_t r = 0; r < rows; ++r, out += stride) {
    std::int64_t filled = 0;
    if (n + r < n_end) {
      const std::uint8_t* row = gemm.w + (n + r) * RowBytes(gemm.format, gemm.k) + RowBytes(gemm.format, k_begin);
      DequantizeRow<S>(gemm.format, row, count, out);
      filled = count;
    }
    for (; filled < padded; ++filled) out[filled] = 0.0F;
  }
}

// Up to this many rows of x, widening costs more than multiplying, so it is done in pieces that fit the first cache
// level and are used at once.
inline constexpr std::int64_t kFewRows = 16;
inline constexpr std::int64_t kFewRowsColumns = 8;
inline constexpr std::int64_t kFewRowsPiece = 768;  // values of k
static_assert(kFewRowsPiece % kSuperBlockValues == 0, "pieces hold whole blocks of every format");
inline constexpr std::int64_t kFewRowsStride = 784;  // not 768: rows 4 KiB apart would delay loads after stores

template <class S>
inline void GemmFewRows(const Gemm& gemm, std::int64_t n, std::int64_t n_end, float* scratch) {
  constexpr int kPair = S::kFewRowsTogether;
  GemmSums<S, kPair, kFewRowsColumns> pairs[kFewRows / kPair];
  GemmSums<S, 1, kFewRowsColumns> singles[kPair];
  const std::int64_t paired = gemm.m / kPair;
  for (std::int64_t i = 0; i < paired; ++i) pairs[i].Clear();
  for (std::int64_t m = paired * kPair; m < gemm.m; ++m) singles[m - paired * kPair].Clear();
  for (std::int64_t k = 0; k < gemm.k; k += kFewRowsPiece) {
    const std::int64_t k_end = k + kFewRowsPiece < gemm.k ? k + kFewRowsPiece : gemm.k;
    WidenRows<S>(gemm, n, n_end, kFewRowsColumns, k, k_end, scratch, kFewRowsStride);
    const float* x = gemm.x + k;
    for (std::int64_t i = 0; i < paired; ++i) {
      pairs[i].Add(x + i * kPair * gemm.x_stride, gemm.x_stride, scratch, kFewRowsStride, k_end - k);
    }
    for (std::int64_t m = paired * kPair; m < gemm.m; ++m) {
      singles[m - paired * kPair].Add(x + m * gemm.x_stride, gemm.x_stride, scratch, kFewRowsStride, k_end - k);
    }
  }
  for (std::int64_t i = 0; i < paired; ++i) pairs[i].Store(gemm, i * kPair, n, n_end);
  for (std::int64_t m = paired * kPair; m < gemm.m; ++m) singles[m - paired * kPair].Store(gemm, m, n, n_end);
}

template <class S, int kRows>
inline void GemmManyRowsTile(const Gemm& gemm, const float* w, std::int64_t w_stride, std::int64_t m, std::int64_t n,
                             std::int64_t n_end) {
  for (std::int64_t c = 0; c < kGemmTileRows && n + c < n_end; c += 4) {
    GemmSums<S, kRows, 4> sums;
    sums.Clear();
    sums.Add(gemm.x + m * gemm.x_stride, gemm.x_stride, w + c * w_stride, w_stride, gemm.k);
    sums.Store(gemm, m, n + c, n_end);
  }
}

// kGemmTileRows weight rows are widened once and stay in the first two cache levels while all rows of x pass by.
template <class S>
inline void GemmManyRows(const Gemm& gemm, std::int64_t n, std::int64_t n_end, float* scratch) {
  const std::int64_t w_stride = (gemm.k + 15) / 16 * 16;
  WidenRows<S>(gemm, n, n_end, kGemmTileRows, 0, gemm.k, scratch, w_stride);
  std::int64_t m = 0;
  for (; m + S::kGemmRows <= gemm.m; m += S::kGemmRows) {
    GemmManyRowsTile<S, S::kGemmRows>(gemm, scratch, w_stride, m, n, n_end);
  }
  for (; m < gemm.m; ++m) GemmManyRowsTile<S, 1>(gemm, scratch, w_stride, m, n, n_end);
}

template <class S>
inline void GemmColumns(const Gemm& gemm, std::int64_t n_begin, std::int64_t n_end, float* scratch) {
  if (gemm.m <= kFewRows) {
    for (std::int64_t n = n_begin; n < n_end; n += kFewRowsColumns) GemmFewRows<S>(gemm, n, n_end, scratch);
  } else {
    for (std::int64_t n = n_begin; n < n_end; n += kGemmTileRows) GemmManyRows<S>(gemm, n, n_end, scratch);
  }
}

}  // namespace kernels
