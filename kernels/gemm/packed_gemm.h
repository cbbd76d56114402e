#pragma once

#include <cstdint>

#include "kernels/primitives/gated_unit.h"
#include "kernels/quant/packed_weights.h"
#include "kernels/quant/quantize_rows.h"

namespace kernels {

// y[m][n] = sum_k x[m][k] w[n][k], with packed weights and activations rounded to 8 bits: the products and sums of a
// group of 96 columns are exact integers (4-bit weights; F32 for each 32 columns of 8-bit ones), the sums of those F32.
struct PackedGemm {
  const std::uint8_t* w;  // [PanelsFor(n)][PackedPanelBytes(layout, x.columns)], aligned to 64 bytes
  // nullptr, or a matrix of the same shape and layout: y = activation(gate x) * (w x) (gated_unit.h)
  const std::uint8_t* gate;
  GateActivation activation = GateActivation::kSilu;
  PackedLayout layout;
  std::int64_t n;
  QuantizedRows x;
  float* y;  // [x.rows][y_stride], the first n of each row
  std::int64_t y_stride;
  bool accumulate;  // adds to y; not with a gate
};

// A tile is two panels that meet x together, so that each load of x serves both: two neighbours, or one of the gate and
// its partner.
constexpr std::int64_t PackedTiles(std::int64_t n, bool gated) { return gated ? PanelsFor(n) : (PanelsFor(n) + 1) / 2; }

// Computes the columns of y that belong to `tile`, of rows [row_begin, row_end). Different threads take different tiles
// or different rows.
//
// Determinism: an element is summed group by group in ascending order, whatever x.rows is and whichever rows are
// computed beside it.
// Bound by the int8 dot product when there are many rows (19 instructions a row and 32 x 32 weights, 16 of them dot
// products of the weights), by reading the weights when there are few.
using PackedGemmTileFn = void(const PackedGemm& gemm, std::int64_t tile, std::int64_t row_begin, std::int64_t row_end);

PackedGemmTileFn PackedGemmTileRef;

}  // namespace kernels
