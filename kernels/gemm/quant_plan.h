#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/gemm/gemm_gpu.h"
#include "kernels/quant/quant_layout.h"

namespace kernels::gpu {

// How a quantised product is cut, and why; quant_gemm_kernel.cuh runs it.
//
// A block has eight warps: row_warps of them beside each other, each with one cell (32 rows) of W, times 8 / row_warps
// that share the rows and take turns along k. `splits` blocks share the same rows and cut k between them. `columns`
// rows of x are multiplied together: the bucket.
struct QuantPlan {
  std::int32_t columns;    // 1, 2, 4, 8, 16, 32, 64
  std::int32_t row_warps;  // 1, 2, 4, 8
  std::int32_t splits;
};

inline constexpr int kQuantWarps = 8;
inline constexpr int kQuantColumnsMax = 64;

// Cells along k that a warp takes at once: what is copied in one stage.
constexpr int QuantStageCells(MatrixFormat format) { return format == MatrixFormat::kQ8_0 ? 2 : 4; }
// 16-byte pieces of x that a thread carries to shared memory for each stage.
constexpr int QuantInputPieces(int columns) { return columns > 32 ? 4 : 2; }
// Steps along k: in each, every warp of a block takes its stage.
constexpr std::int32_t QuantSteps(MatrixFormat format, std::int32_t k, std::int32_t row_warps) {
  const int cells = kQuantWarps / row_warps * QuantStageCells(format);
  return (k / kCell + cells - 1) / cells;
}
constexpr bool IsPossible(const QuantPlan& plan, MatrixFormat format, std::int32_t k) {
  const bool is_power =
      plan.row_warps >= 1 && plan.row_warps <= kQuantWarps && (plan.row_warps & (plan.row_warps - 1)) == 0;
  if (!is_power) return false;
  const int pieces = plan.columns * (kQuantWarps / plan.row_warps) * QuantStageCells(format) * 4;
  return pieces <= QuantInputPieces(plan.columns) * kQuantWarps * 32 && plan.splits >= 1 &&
         plan.splits <= QuantSteps(format, k, plan.row_warps);
}

constexpr std::int32_t QuantBucket(std::int32_t m) {
  std::int32_t columns = 1;
  while (columns < m && columns < kQuantColumnsMax) columns *= 2;
  return columns;
}

// Seconds that a plan should take, up to what all plans have in common. The figures are those of an H200, rounded, on
// every card, so that results have the same bits everywhere; which of two plans is better hardly depends on them.
inline double QuantPlanSeconds(const QuantPlan& plan, MatrixFormat format, std::int32_t n, std::int32_t k,
                               std::int32_t chunks) {
  constexpr std::int64_t kMultiprocessors = 132;
  constexpr double kL2BytesPerSecond = 5.5e12;
  // What one multiprocessor can unpack and multiply: about 60 instructions of 32 lanes for a cell of 576 bytes.
  const double multiprocessor_bytes_per_second = 48e9 / std::max(1, plan.columns / 16);
  const double split_seconds = 0.6e-6 + 0.05e-6 * plan.splits;  // partial sums out, an arrival counted, partial sums in
  constexpr double kWaveSeconds = 0.3e-6;                       // a block's first copies and its last sums
  const double row_blocks = static_cast<double>((CellsOf(n) + plan.row_warps - 1) / plan.row_warps);
  const double blocks = row_blocks * plan.splits * chunks;
  const int steps = (QuantSteps(format, k, plan.row_warps) + plan.splits - 1) / plan.splits;  // of a block
  const double block_k = std::min(k, steps * kQuantWarps / plan.row_warps * QuantStageCells(format) * kCell);
  const double row_bytes =
      static_cast<double>(QuantDataBytes(format, kCell, k) + QuantScaleBytes(format, kCell, k)) / kCell;
  const double block_rows = plan.row_warps * kCell;
  double block_bytes = block_rows * row_bytes * block_k / k;            // weights
  block_bytes += 2.0 * plan.columns * block_k;                          // x
  if (plan.splits > 1) block_bytes += 8.0 * plan.columns * block_rows;  // partial sums, out and in
  const double waves =
      static_cast<double>((static_cast<std::int64_t>(blocks) + kMultiprocessors - 1) / kMultiprocessors);
  const double shared = blocks * block_bytes / kL2BytesPerSecond;
  const double own = waves * block_bytes / multiprocessor_bytes_per_second;
  return std::max(shared, own) + waves * kWaveSeconds + (plan.splits > 1 ? split_seconds : 0.0);
}

// Depends on the bucket alone, not on the rows in it: rows get the same bits in any company. Above 64 rows the plan is
// that for 256.
inline QuantPlan PlanQuantGemm(MatrixFormat format, std::int32_t m, std::int32_t n, std::int32_t k) {
  constexpr std::int32_t kSplitsMax = 16;
  const std::int32_t chunks = m > kQuantColumnsMax ? 4 : 1;
  QuantPlan best{.columns = QuantBucket(m), .row_warps = kQuantWarps, .splits = 1};
  double best_seconds = QuantPlanSeconds(best, format, n, k, chunks);
  for (std::int32_t row_warps = kQuantWarps; row_warps >= 1; row_warps /= 2) {
    for (std::int32_t splits = 1; splits <= kSplitsMax; ++splits) {
      const QuantPlan plan{.columns = best.columns, .row_warps = row_warps, .splits = splits};
      if (!IsPossible(plan, format, k)) break;
      const double seconds = QuantPlanSeconds(plan, format, n, k, chunks);
      if (seconds < best_seconds) best = plan, best_seconds = seconds;
    }
  }
  return best;
}

}  // namespace kernels::gpu
