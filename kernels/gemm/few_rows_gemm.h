#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/gemm/gemm_context.h"
#include "kernels/gemm/gemm_gpu.h"

namespace kernels::gpu {

// Products whose time is that of reading the weights once: BF16 and FP8, 1 to 64 rows. Correct for any number of rows
// (64 at a time, the weights read again for each), which is what runs where cuBLASLt can't be had.

// How a block is made of warps. A warp multiplies 16 * row_tiles weight rows with all rows of x; row_warps warps lie
// side by side along the weight rows and share x; inner_warps of those share the inner dimension k and add up at the
// end. Each warp keeps `stages` steps of `segments` * 64 bytes of its weight rows in flight or in use.
struct FewRowsCut {
  std::int32_t row_tiles, row_warps, inner_warps, stages, segments;
};

// By the number of rows of x: up to 8, 16, 32, 64. The cut matters to speed alone; which is best depends on the card's
// bandwidth and on the shape, so there are some to choose from: PlanFewRows does, and the benchmark
// (gemm_bench.cpp) times them all.
inline constexpr std::int32_t kFewRowsClasses = 4, kFewRowsVariants = 4;
inline constexpr FewRowsCut kFewRowsCuts[kFewRowsClasses][kFewRowsVariants] = {
    {{1, 1, 4, 6, 2}, {2, 1, 4, 5, 2}, {1, 1, 4, 4, 2}, {1, 1, 8, 4, 2}},
    {{4, 1, 4, 4, 1}, {2, 1, 4, 4, 2}, {1, 4, 2, 4, 2}, {2, 2, 2, 5, 2}},
    {{2, 4, 1, 4, 2}, {2, 2, 2, 4, 2}, {4, 1, 4, 3, 1}, {2, 4, 2, 5, 1}},
    {{2, 4, 1, 4, 2}, {2, 4, 2, 4, 1}, {2, 4, 1, 3, 2}, {4, 4, 1, 5, 1}},
};
constexpr std::int32_t FewRowsClassOf(std::int32_t m) { return m <= 8 ? 0 : m <= 16 ? 1 : m <= 32 ? 2 : 3; }

// Shared memory of a block that multiplies `columns` rows of x: its ring, and later the warps' sums in the same place.
//   input_pieces : bytes of a value of x by those of a weight, 1 or 2
constexpr std::int32_t FewRowsSlotBytes(std::int32_t row_class, std::int32_t columns) {
  return row_class == 0 ? 64 * columns : 512;  // up to 8 rows of x take only the room that they need
}
constexpr std::int32_t FewRowsSharedBytes(std::int32_t row_class, const FewRowsCut& cut, std::int32_t input_pieces,
                                          std::int32_t columns) {
  const std::int32_t weights = cut.row_warps * cut.inner_warps * 2 * cut.row_tiles * cut.segments * 512;
  const std::int32_t slots = cut.inner_warps * cut.segments * input_pieces << row_class;
  const std::int32_t ring = cut.stages * (weights + slots * FewRowsSlotBytes(row_class, columns));
  const std::int32_t sums = cut.inner_warps * columns * (16 * cut.row_tiles * cut.row_warps + 4) * 4;
  return std::max(ring, sums);
}

// `splits` blocks share the inner dimension of the same weight rows; the last to arrive adds up, always in the same
// order.
struct FewRowsPlan {
  std::int32_t variant, splits;
};
inline constexpr std::int32_t kFewRowsSplitsMax = 16;

// REQUIRES of the following: a product that RunGemm has checked, its matrix kBf16 or kFp8.
//
// The plan depends on the card's shared memory: on those that have less, another cut. A bucket of rows has one cut.
FewRowsPlan PlanFewRows(const Gemm& gemm, const GemmContext& context);
// Whether a block of the card has the shared memory that a variant takes, for any number of rows of the bucket.
bool FitsFewRows(const Gemm& gemm, const GemmContext& context, std::int32_t variant);
// The splits that suit a variant.
std::int32_t SplitsOfFewRows(const Gemm& gemm, const GemmContext& context, std::int32_t variant);
// Refuses a plan whose partial sums do not fit the context's scratch, or whose ring does not fit the card.
LaunchResult RunFewRowsGemm(const Gemm& gemm, const FewRowsPlan& plan, GemmContext* context, Stream stream);
// The part of it for FP8 matrices, in a source of its own.
LaunchResult RunFewRowsGemmFp8(const Gemm& gemm, const FewRowsPlan& plan, GemmContext* context, Stream stream);

}  // namespace kernels::gpu
