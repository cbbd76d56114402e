#pragma once

#include <cstdint>

#include "kernels/quant/packed_weights.h"
#include "kernels/quant/quantize_rows.h"

namespace kernels {

// y[m][n] = sum_k x[m][k] w[n][k], or added to y[m][n] when `accumulate`, with packed weights and activations rounded
// to 8 bits: products and sums of 32 columns are exact integers, the sums of those are F32.
struct PackedGemm {
  const std::uint8_t* w;  // [PanelsFor(n)][PackedPanelBytes(layout, x.columns)], aligned to 64 bytes
  PackedLayout layout;
  std::int64_t n;
  QuantizedRows x;
  float* y;  // [x.rows][y_stride], the first n of each row
  std::int64_t y_stride;
  bool accumulate;
};

// Computes the columns of y that belong to `panel` (16 of them, fewer in the last). Different threads take different
// panels.
//
// Determinism: an element is summed block by block in ascending order, whatever x.rows is and whichever rows stand
// beside it.
// Bound by the int8 dot product when there are many rows (8 instructions a row and 32 x 16 weights), by reading the
// weights when there are few.
using PackedGemmPanelFn = void(const PackedGemm& gemm, std::int64_t panel);

PackedGemmPanelFn PackedGemmPanelRef;

}  // namespace kernels
