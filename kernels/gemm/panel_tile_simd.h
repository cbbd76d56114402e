#pragma once

#include <cstdint>

#include "kernels/primitives/gated_unit_simd.h"
#include "kernels/quant/packed_weights.h"

namespace kernels {

// What the products of packed weights share, whatever the panels hold: which panels a tile has, and how its sums become
// y. Gemm is PackedGemm or Bf16Gemm.

template <int kCount>
struct PanelCount {
  static constexpr int kValue = kCount;
};

// Calls body(count, panels, n) for the panels of a tile (packed_gemm.h), whose columns of y start at n.
//   panel : values of Weight in one
template <class Gemm, class Weight, class Body>
inline __attribute__((always_inline)) void ForPanelsOfTile(const Gemm& gemm, const Weight* w, const Weight* gate,
                                                           std::int64_t panel, std::int64_t tile, const Body& body) {
  if (gate != nullptr) {
    const Weight* const panels[2] = {gate + tile * panel, w + tile * panel};
    return body(PanelCount<2>{}, panels, tile * kPanelRows);
  }
  const Weight* first = w + 2 * tile * panel;
  const Weight* const panels[2] = {first, first + panel};
  if (2 * tile + 1 < PanelsFor(gemm.n)) {
    body(PanelCount<2>{}, panels, 2 * tile * kPanelRows);
  } else {
    body(PanelCount<1>{}, panels, 2 * tile * kPanelRows);
  }
}

// Writes the sums of `rows` rows from `row` on to y, as the product says.
//   sums : [rows][kPanels][16]; overwritten
template <class S, int kPanels, class Gemm>
inline void StoreSums(const Gemm& gemm, std::int64_t n, std::int64_t row, std::int64_t rows, float* sums) {
  constexpr std::int64_t kWidth = kPanels * kPanelRows;
  const bool gated = gemm.gate != nullptr;
  const std::int64_t width = gated ? kPanelRows : kWidth;
  const std::int64_t count = gemm.n - n < width ? gemm.n - n : width;
  for (std::int64_t r = 0; r < rows; ++r, sums += kWidth) {
    if (gated) GatedBy<S>(gemm.activation, sums, sums + (kPanels - 1) * kPanelRows, kPanelRows, sums);
    float* y = gemm.y + (row + r) * gemm.y_stride + n;
    std::int64_t i = 0;
    for (; i + S::kLanes <= count; i += S::kLanes) {
      const auto sum = S::Load(sums + i);
      S::Store(y + i, gemm.accumulate ? S::Add(S::Load(y + i), sum) : sum);
    }
    for (; i < count; ++i) y[i] = gemm.accumulate ? y[i] + sums[i] : sums[i];
  }
}

}  // namespace kernels
