#include "kernels/gemm/few_rows_gemm.h"

#include <algorithm>

#include "kernels/gemm/few_rows_launch.cuh"

namespace kernels::gpu {

std::int32_t SplitsOfFewRows(const Gemm& gemm, const GemmContext& context, std::int32_t variant) {
  const std::int32_t of_class = FewRowsClassOf(gemm.m);
  const FewRowsCut& cut = kFewRowsCuts[of_class][variant];
  const std::int64_t rows = std::int64_t{16} * cut.row_tiles * cut.row_warps, columns = std::int64_t{8} << of_class;
  const std::int64_t cells = std::int64_t{BlocksFor(gemm.w.n, rows)} * BlocksFor(gemm.m, columns);
  const std::int64_t step = std::int64_t{cut.segments} * 64 / (gemm.w.format == MatrixFormat::kFp8 ? 1 : 2);
  const std::int64_t steps = gemm.w.k / (step * cut.inner_warps);  // of each inner warp, in all splits together

  // Enough blocks that their rings together hold what the memory has under way, 56 KiB on each multiprocessor; each
  // split costs partial sums, written and read, so no more than that, and none for which a warp would make fewer steps
  // than its ring has stages.
  const std::int64_t ring_kib =
      std::int64_t{cut.stages} * cut.row_tiles * cut.segments * cut.row_warps * cut.inner_warps;
  const std::int64_t wanted = context.multiprocessors * 56 / ring_kib;
  const std::int64_t most = std::clamp<std::int64_t>(steps / cut.stages, 1, kFewRowsSplitsMax);
  const std::int64_t splits = std::clamp<std::int64_t>((wanted + cells - 1) / cells, 1, most);
  const std::int64_t bytes = cells * splits * std::min<std::int64_t>(gemm.m, columns) * rows * 4;
  const bool fits = cells <= kGemmCounters && bytes <= static_cast<std::int64_t>(kGemmScratchBytes);
  return fits ? static_cast<std::int32_t>(splits) : 1;
}

bool FitsFewRows(const Gemm& gemm, const GemmContext& context, std::int32_t variant) {
  const std::int32_t of_class = FewRowsClassOf(gemm.m);
  std::int32_t columns = 8 << of_class;  // the bucket's
  while (of_class == 0 && columns > 1 && columns / 2 >= gemm.m) columns /= 2;
  const bool wider_inputs = gemm.w.format == MatrixFormat::kFp8 && gemm.x_fp8 == nullptr;
  const FewRowsCut& cut = kFewRowsCuts[of_class][variant];
  return FewRowsSharedBytes(of_class, cut, wider_inputs ? 2 : 1, columns) <= context.shared_bytes_max;
}

FewRowsPlan PlanFewRows(const Gemm& gemm, const GemmContext& context) {
  // A block of 16 weight rows reads half as many bytes of 8 rows of x as of weights, more than the L2 cache has to
  // spare.
  std::int32_t variant = gemm.m > 4 && gemm.m <= 8 ? 1 : 0;
  for (std::int32_t other = 0; other < kFewRowsVariants && !FitsFewRows(gemm, context, variant); ++other) {
    if (FitsFewRows(gemm, context, other)) variant = other;
  }
  return {.variant = variant, .splits = SplitsOfFewRows(gemm, context, variant)};
}

LaunchResult RunFewRowsGemm(const Gemm& gemm, const FewRowsPlan& plan, GemmContext* context, Stream stream) {
  GPU_REQUIRE(plan.splits >= 1);
  if (gemm.w.format == MatrixFormat::kFp8) return RunFewRowsGemmFp8(gemm, plan, context, stream);
  GPU_REQUIRE(gemm.w.format == MatrixFormat::kBf16);
  return LaunchFewRowsClass<Bf16, Bf16>(gemm, plan, context, stream);
}

}  // namespace kernels::gpu
