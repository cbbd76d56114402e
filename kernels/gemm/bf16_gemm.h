#pragma once

#include <cstdint>

#include "kernels/primitives/gated_unit.h"
#include "kernels/quant/packed_weights.h"

namespace kernels {

// y[m][n] = sum_k x[m][k] w[n][k] with weights rounded to BF16, inputs and sums in F32: for files whose weights are
// F32, F16 or BF16. Widened to F32 by a shift; why not AVX512-BF16: docs/decisions/0005.
//   w : [PanelsFor(n)][columns / 2][16][2]   two columns of 16 rows are a vector; the last panel is filled up with
//   zeros
// An element meets k in ascending order, whatever `rows` is and whichever rows stand beside it.
struct Bf16Gemm {
  const std::uint16_t* w;     // aligned to 64 bytes
  const std::uint16_t* gate;  // as in PackedGemm: nullptr, or y = activation(gate x) * (w x)
  GateActivation activation = GateActivation::kSilu;
  std::int64_t n, columns;
  const float* x;  // [rows][columns]
  std::int64_t rows;
  float* y;  // [rows][y_stride], the first n of each row
  std::int64_t y_stride;
  bool accumulate;  // adds to y; not with a gate
};

constexpr bool CanPackBf16(WeightFormat format, std::int64_t columns) {
  return columns % 2 == 0 &&
         (format == WeightFormat::kF32 || format == WeightFormat::kF16 || format == WeightFormat::kBF16);
}
constexpr std::int64_t Bf16PanelBytes(std::int64_t columns) { return columns * kPanelRows * 2; }

// Packs one panel, rounded to the nearest, ties to even; NaN stays NaN. Arguments as PackPanel's. REQUIRES:
// CanPackBf16.
void PackBf16Panel(WeightFormat format, const std::uint8_t* file, std::int64_t rows_left, std::int64_t columns,
                   std::uint16_t* panel);

// Computes the columns of y that belong to `tile`: two panels, as in PackedGemm (PackedTiles counts them).
using Bf16GemmTileFn = void(const Bf16Gemm& gemm, std::int64_t tile);

Bf16GemmTileFn Bf16GemmTileRef;

}  // namespace kernels
