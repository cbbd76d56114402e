#pragma once

#include <cstdint>

#include "kernels/quant/weight_format.h"

namespace kernels {

// y[m][n] = sum_k x[m][k] * w[n][k], or added to y[m][n] when `accumulate`. Weights in a file's format, activations
// F32.
struct Gemm {
  const std::uint8_t* w;  // [n][RowBytes(format, k)]
  WeightFormat format;
  std::int64_t n, k;
  const float* x;  // [m][x_stride], the first k of each row
  std::int64_t m, x_stride;
  float* y;  // [m][y_stride], the first n of each row
  std::int64_t y_stride;
  bool accumulate;
};

// Weight rows that are widened to F32 together; ranges of GemmColumns should start at multiples of it.
inline constexpr std::int64_t kGemmTileRows = 16;

// Floats of scratch that a thread needs for products of inner length up to `k`.
constexpr std::int64_t GemmScratchFloats(std::int64_t k) {
  return kGemmTileRows * (k < 400 ? 400 : (k + 15) / 16 * 16);
}

// Computes the columns [n_begin, n_end) of y; different threads take different columns.
//   scratch : [GemmScratchFloats(k)] of the calling thread, aligned to 64 bytes
//
// Determinism: an element is summed in an order that depends on k alone, so row m of y has the same bits whatever m is
// and whichever rows stand beside it. Batching therefore never changes a sequence's logits.
using GemmColumnsFn = void(const Gemm& gemm, std::int64_t n_begin, std::int64_t n_end, float* scratch);

GemmColumnsFn GemmColumnsRef;

}  // namespace kernels
