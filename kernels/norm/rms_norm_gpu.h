#pragma once

#include <cstdint>

#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

// x[r] += delta[r], if there is a delta; y[r][i] = x[r][i] / sqrt(mean over j of x[r][j]^2 + eps) * weight[i], rounded
// to BF16, or to FP8 with one scale a row. The residual stream x stays in F32: thirty layers of BF16 sums would cost
// more of the answer's likelihood than everything else in the pass.
//   x         : [rows][width] in place; row r of y comes from row row_ids[r] of x when row_ids is given (the rows that
//               sample), which then must be distinct and below rows_total, the rows of x. An id that is not gives a row
//               of NaN, and nothing of x is changed for it
//   delta     : [rows][width] or nullptr; read where x is read, so from row row_ids[r] when that is given
//   weight    : [width]; must be complete before the kernel that precedes in the stream starts (it is read while that
//               one still runs)
//   y_bf16    : [rows][width], or nullptr
//   y_fp8     : [rows][width] with y_scales [rows], or nullptr: y = y_fp8 * scale, scale = max |y| / 448
// Exactly one of y_bf16 and y_fp8. REQUIRES: width a multiple of 8, up to 32,768; 16-byte aligned pointers.
struct RmsNorm {
  float* x;
  const Bf16* delta;
  const float* weight;
  float eps;
  std::int32_t rows, width;
  const std::int32_t* row_ids;
  std::int32_t rows_total;  // for row_ids alone
  Bf16* y_bf16;
  Fp8* y_fp8;
  float* y_scales;
};
LaunchResult RunRmsNorm(const RmsNorm& norm, Stream stream);

// How rows are cut over threads; the benchmark tries the alternatives to the default. The sum's order, and so the last
// bits, depend on `team`, which therefore depends on the width alone.
struct RmsNormCut {
  std::int32_t team;          // threads that hold a row in registers: 32, 128, 256, 512 or 1,024
  std::int32_t rows_of_team;  // rows that a team computes one after the other
};
RmsNormCut DefaultCut(std::int32_t width);
LaunchResult RunRmsNorm(const RmsNorm& norm, RmsNormCut cut, Stream stream);

}  // namespace kernels::gpu
