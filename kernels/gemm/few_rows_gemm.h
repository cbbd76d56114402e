#pragma once

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
    {{2, 4, 1, 4, 2}, {2, 4, 2, 4, 1}, {2, 2, 2, 3, 2}, {4, 4, 1, 5, 1}},
};
constexpr std::int32_t FewRowsClassOf(std::int32_t m) { return m <= 8 ? 0 : m <= 16 ? 1 : m <= 32 ? 2 : 3; }

// `splits` blocks share the inner dimension of the same weight rows; the last to arrive adds up, always in the same
// order.
struct FewRowsPlan {
  std::int32_t variant, splits;
};
inline constexpr std::int32_t kFewRowsSplitsMax = 16;

// REQUIRES of the following: a product that RunGemm has checked, its matrix kBf16 or kFp8.
FewRowsPlan PlanFewRows(const Gemm& gemm, const GemmContext& context);
// The splits that suit a variant.
std::int32_t SplitsOfFewRows(const Gemm& gemm, const GemmContext& context, std::int32_t variant);
// Refuses a plan whose partial sums do not fit the context's scratch.
LaunchResult RunFewRowsGemm(const Gemm& gemm, const FewRowsPlan& plan, GemmContext* context, Stream stream);
// The part of it for FP8 matrices, in a source of its own.
LaunchResult RunFewRowsGemmFp8(const Gemm& gemm, const FewRowsPlan& plan, GemmContext* context, Stream stream);

}  // namespace kernels::gpu
