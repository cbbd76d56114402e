#pragma once

#include <cstdint>

#include "kernels/gemm/bf16_gemm.h"
#include "kernels/gemm/panel_tile_simd.h"

namespace kernels {

// See bf16_gemm.h. A pair of columns is widened to two registers of F32 and meets kRows rows of x, so that kRows x
// kPanels chains of additions hide the latency of the multiply-add.
template <class S, int kPanels, int kRows>
inline void Bf16Rows(const Bf16Gemm& gemm, const std::uint16_t* const* panels, std::int64_t part, std::int64_t row,
                     float* to) {
  typename S::F32 sums[kRows][kPanels];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; ++p) sums[r][p] = S::Zero();
  }
  const float* x = gemm.x + row * gemm.columns;
  for (std::int64_t k = 0; k < gemm.columns; k += 2) {
    typename S::Pair w[kPanels];  // of columns k and k + 1
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; ++p) {
      const std::uint16_t* pairs = panels[p] + k * kPanelRows + part * 2 * S::kRows;
      w[p] = S::WidenBf16Pairs(pairs);
      if (kRows == 1) __builtin_prefetch(pairs + 2048);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const auto first = S::Set1(x[r * gemm.columns + k]), second = S::Set1(x[r * gemm.columns + k + 1]);
#pragma GCC unroll 2
      for (int p = 0; p < kPanels; ++p) {
        sums[r][p] = S::Fma(w[p].second, second, S::Fma(w[p].first, first, sums[r][p]));
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int p = 0; p < kPanels; ++p) S::Store(to + (r * kPanels + p) * kPanelRows + part * S::kRows, sums[r][p]);
  }
}

template <class S, int kPanels, int kRows>
inline std::int64_t Bf16RowsOfTile(const Bf16Gemm& gemm, const std::uint16_t* const* panels, std::int64_t n,
                                   std::int64_t row) {
  for (; row + kRows <= gemm.rows; row += kRows) {
    alignas(64) float sums[kRows * kPanels * kPanelRows];
    for (std::int64_t part = 0; part < kPanelRows / S::kRows; ++part) {
      Bf16Rows<S, kPanels, kRows>(gemm, panels, part, row, sums);
    }
    StoreSums<S, kPanels>(gemm, n, row, kRows, sums);
  }
  return row;
}

template <class S, int kPanels>
inline void Bf16Panels(const Bf16Gemm& gemm, const std::uint16_t* const* panels, std::int64_t n) {
  std::int64_t row = Bf16RowsOfTile<S, kPanels, S::kBf16Rows>(gemm, panels, n, 0);
  row = Bf16RowsOfTile<S, kPanels, 2>(gemm, panels, n, row);
  Bf16RowsOfTile<S, kPanels, 1>(gemm, panels, n, row);
}

template <class S>
inline void Bf16GemmTile(const Bf16Gemm& gemm, std::int64_t tile) {
  ForPanelsOfTile(
      gemm, gemm.w, gemm.gate, gemm.columns * kPanelRows,
      tile, [&](auto count, const std::uint16_t* const* panels, std::int64_t n) __attribute__((always_inline)) {
        Bf16Panels<S, decltype(count)::kValue>(gemm, panels, n);
      });
}

}  // namespace kernels
