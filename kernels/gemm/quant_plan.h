#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/gemm/gemm_gpu.h"
#include "kernels/quant/quant_layout.h"

namespace kernels::gpu {

// How a quantised product is cut, and why; quant_gemm_kernel.cuh runs it.
//
// A block has eight warps: row_warps of them beside each other, each with one cell (32 rows) of W, times 8 / row_warps
// that share the rows and take turns along k. `splits` blocks share the same rows and cut k between them. `columns`
// rows of x are multiplied together: the bucket. A warp has `stages` stages of copies under way or in use.
struct QuantPlan {
  std::int32_t columns;    // 1, 2, 4, 8, 16, 32, 64
  std::int32_t row_warps;  // 1, 2, 4, 8
  std::int32_t splits;
  std::int32_t stages;  // QuantStages(columns); QuantStagesMin(columns) where the card has no room for those
};

inline constexpr int kQuantWarps = 8;
inline constexpr int kQuantColumnsMax = 64;

// Cells along k that a warp takes at once: what is copied in one stage. With many rows x is the larger part of it.
constexpr int QuantStageCells(MatrixFormat format, int columns) {
  return format == MatrixFormat::kQ8_0 || columns > 16 ? 2 : 4;
}
constexpr int QuantSuperScaleBytes(MatrixFormat format) { return format == MatrixFormat::kQ4_K ? 128 : 0; }
// Weights and scales of a stage of a warp.
constexpr int QuantStageBytes(MatrixFormat format, int columns) {
  return QuantStageCells(format, columns) * (PlanesOf(format) * kCellPlaneBytes + CellScaleBytes(format)) +
         QuantSuperScaleBytes(format);
}
// A single row leaves room for one more; each of two blocks then has all it needs of 4,096 values of k under way.
constexpr int QuantStages(int columns) { return columns == 1 ? 5 : 4; }
// Where every cut of some format would else be too large for 99 KB.
constexpr int QuantStagesMin(int columns) {
  return columns == 1 || columns == kQuantColumnsMax ? QuantStages(columns) - 1 : QuantStages(columns);
}
// A block's ring in shared memory: stages of weights and of x, which warps side by side share but for a single row.
constexpr int QuantRingBytes(const QuantPlan& plan, MatrixFormat format) {
  const int inputs = plan.columns == 1 ? kQuantWarps : kQuantWarps / plan.row_warps;
  return plan.stages * (kQuantWarps * QuantStageBytes(format, plan.columns) +
                        inputs * QuantStageCells(format, plan.columns) * plan.columns * 64);
}
// Rows of the block's sums in shared memory; the four more spread what a warp stores at once over all banks.
constexpr int QuantOutStride(int row_warps) { return row_warps * kCell + 4; }
// Of a block: the ring, and later the warps' sums in the same place.
constexpr int QuantSharedBytes(const QuantPlan& plan, MatrixFormat format) {
  const int sums = kQuantWarps / plan.row_warps * plan.columns * QuantOutStride(plan.row_warps) * 4;
  return std::max(QuantRingBytes(plan, format), sums);
}
// Blocks on a multiprocessor, this kernel's or the next one's; registers are the limit.
constexpr int QuantBlocksTogether(int columns) { return columns <= 16 ? 2 : 1; }
// What plans may take of a card's `shared_bytes_max`, a kilobyte less than there is, for the kernel's own variable: on
// an A100, whose blocks have 163 KB, 162; on larger cards no more than 163. No plan's size lies between the two, so
// results have the same bits on all of these cards (shared_limit_test.cpp compares the plans).
constexpr int QuantSharedMax(int shared_bytes_max) { return std::min(163 * 1024, shared_bytes_max - 1024); }
// Steps along k: in each, every warp of a block takes its stage.
constexpr std::int32_t QuantSteps(const QuantPlan& plan, MatrixFormat format, std::int32_t k) {
  const int cells = kQuantWarps / plan.row_warps * QuantStageCells(format, plan.columns);
  return (k / kCell + cells - 1) / cells;
}
// Whether there is a kernel for it. Of another plan no size can be asked: they divide by row_warps.
constexpr bool IsCut(const QuantPlan& plan) {
  const bool is_power =
      plan.row_warps >= 1 && plan.row_warps <= kQuantWarps && (plan.row_warps & (plan.row_warps - 1)) == 0;
  return is_power && plan.stages >= QuantStagesMin(plan.columns) && plan.stages <= QuantStages(plan.columns);
}
constexpr bool IsPossible(const QuantPlan& plan, MatrixFormat format, std::int32_t k, std::int32_t shared_bytes_max) {
  if (!IsCut(plan)) return false;
  return QuantSharedBytes(plan, format) <= QuantSharedMax(shared_bytes_max) && plan.splits >= 1 &&
         plan.splits <= QuantSteps(plan, format, k);
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
  constexpr double kMultiprocessors = 132;
  constexpr double kMemoryBytesPerSecond = 4.2e12;
  constexpr double kCacheBytesPerSecond = 5.5e12;  // from L2 to all multiprocessors
  constexpr double kOwnBytesPerSecond = 45e9;      // to one of them
  constexpr double kTailBytesPerSecond = 60e9;     // to one alone, at the end
  constexpr double kStepSeconds = 0.3e-6;          // of a warp that waits for no other
  constexpr double kWaveSeconds = 2.0e-6;          // a block's first copies, while another block works
  constexpr double kArrivalSeconds = 0.8e-6;       // to count a split's arrival, and a little for each
  constexpr double kSplitSeconds = 0.05e-6;

  const double blocks = static_cast<double>((CellsOf(n) + plan.row_warps - 1) / plan.row_warps) * plan.splits * chunks;
  const bool two_fit = 2 * (QuantRingBytes(plan, format) + 2048) <= 228 * 1024;
  const double together = two_fit ? QuantBlocksTogether(plan.columns) : 1;
  const double waves = std::ceil(blocks / (together * kMultiprocessors));
  const int steps = (QuantSteps(plan, format, k) + plan.splits - 1) / plan.splits;  // of a block
  const double cells =
      std::min(k / kCell, steps * (kQuantWarps / plan.row_warps) * QuantStageCells(format, plan.columns));
  const double cell_bytes = static_cast<double>(QuantDataBytes(format, kCell, k) + QuantScaleBytes(format, kCell, k)) /
                            static_cast<double>(CellsOf(k));
  const double weight_bytes = plan.row_warps * cells * cell_bytes;                                // of a block
  const double sums_bytes = plan.splits > 1 ? 4.0 * plan.columns * plan.row_warps * kCell : 0.0;  // partial
  const double x_bytes = 2.0 * plan.columns * cells * kCell * (plan.columns == 1 ? plan.row_warps : 1);

  // Instructions of a warp for a cell, by four schedulers of 1.85 GHz. Measured: two blocks together fill three in five
  // of their slots, a lone one half as many, but for many rows, which make longer runs of independent instructions.
  const bool has_minima = format == MatrixFormat::kQ4_1 || format == MatrixFormat::kQ4_K;
  const double instructions = 72.0 + 15.0 * (has_minima ? 1 : 0) + 40.0 * (PlanesOf(format) - 1) +
                              (plan.columns == 1 ? 0.0 : 2.7 * std::max(8, plan.columns));
  const double filled = plan.columns > 16 ? 0.5 : together > 1 && blocks > kMultiprocessors ? 0.58 : 0.3;
  const double cell_seconds = instructions / (4 * 1.85e9 * filled);
  const double memory = std::max(blocks * weight_bytes / chunks / kMemoryBytesPerSecond,
                                 blocks * (weight_bytes + x_bytes + 2 * sums_bytes) / kCacheBytesPerSecond);
  const double rounds = std::ceil(blocks / kMultiprocessors);  // blocks of the busiest multiprocessor
  const double own = rounds * std::max(weight_bytes / kOwnBytesPerSecond, plan.row_warps * cells * cell_seconds);
  // The last block of those that share rows reads what all of them wrote.
  const double tail =
      plan.splits > 1 ? kArrivalSeconds + plan.splits * (kSplitSeconds + sums_bytes / kTailBytesPerSecond) : 0.0;
  return std::max({memory, own, waves * steps * kStepSeconds}) + waves * kWaveSeconds + tail;
}

// Depends on the bucket alone, not on the rows in it: rows get the same bits in any company. Above 64 rows the plan is
// that for 256. Not possible on a card of so little shared memory that no plan is.
inline QuantPlan PlanQuantGemm(MatrixFormat format, std::int32_t m, std::int32_t n, std::int32_t k,
                               std::int32_t shared_bytes_max) {
  constexpr std::int32_t kSplitsMax = 16;
  const std::int32_t chunks = m > kQuantColumnsMax ? 4 : 1;
  // Eight warps beside each other share x: no plan of so many stages takes less memory.
  QuantPlan best{
      .columns = QuantBucket(m), .row_warps = kQuantWarps, .splits = 1, .stages = QuantStages(QuantBucket(m))};
  if (!IsPossible(best, format, k, shared_bytes_max)) best.stages = QuantStagesMin(best.columns);
  double best_seconds = QuantPlanSeconds(best, format, n, k, chunks);
  for (std::int32_t row_warps = kQuantWarps; row_warps >= 1; row_warps /= 2) {
    for (std::int32_t splits = 1; splits <= kSplitsMax; ++splits) {
      const QuantPlan plan{.columns = best.columns, .row_warps = row_warps, .splits = splits, .stages = best.stages};
      if (!IsPossible(plan, format, k, shared_bytes_max)) break;
      const double seconds = QuantPlanSeconds(plan, format, n, k, chunks);
      if (seconds < best_seconds) best = plan, best_seconds = seconds;
    }
  }
  return best;
}

}  // namespace kernels::gpu
