#include "kernels/gemm/quant_gemm.h"

#include <bit>

#include "kernels/gemm/quant_gemm_kernel.cuh"

namespace kernels::gpu {

LaunchResult LaunchQuantGemmFew(MatrixFormat format, const QuantProblem& problem, const QuantPlan& plan,
                                Stream stream) {
  if (plan.columns == 1) {
    return plan.stages == QuantStages(1) ? LaunchQuantGemm<1, true, QuantStages(1)>(format, problem, plan, stream)
                                         : LaunchQuantGemm<1, true, QuantStagesMin(1)>(format, problem, plan, stream);
  }
  return plan.columns <= 8 ? LaunchQuantGemm<1>(format, problem, plan, stream)
                           : LaunchQuantGemm<2>(format, problem, plan, stream);
}

LaunchResult RunQuantGemm(const Gemm& gemm, const QuantPlan& plan, GemmContext* context, Stream stream) {
  GPU_REQUIRE(IsQuantised(gemm.w.format));
  GPU_REQUIRE(gemm.m >= 0);
  GPU_REQUIRE(gemm.w.n > 0 && gemm.w.n % 8 == 0);
  GPU_REQUIRE(gemm.w.k > 0 && gemm.w.k % kCell == 0);
  GPU_REQUIRE(gemm.w.format != MatrixFormat::kQ4_K || gemm.w.k % (kCell * kQ4KRecordCells) == 0);
  if (gemm.m == 0) return LaunchResult::Ok();
  GPU_REQUIRE(gemm.w.data != nullptr && gemm.w.scales != nullptr);
  GPU_REQUIRE(gemm.x_bf16 != nullptr);
  GPU_REQUIRE((gemm.y_f32 != nullptr) != (gemm.y_bf16 != nullptr));
  GPU_REQUIRE(!gemm.accumulate || gemm.y_f32 != nullptr);
  GPU_REQUIRE(gemm.y_stride >= gemm.w.n && gemm.y_stride % 4 == 0);
  GPU_REQUIRE(QuantBucket(gemm.m) == plan.columns);
  GPU_REQUIRE(IsCut(plan));
  if (QuantSharedBytes(plan, gemm.w.format) > QuantSharedMax(context->shared_bytes_max)) {
    return LaunchResult::Refused("a block of this card has too little shared memory for this cut of a product");
  }
  GPU_REQUIRE(IsPossible(plan, gemm.w.format, gemm.w.k, context->shared_bytes_max));
  // Partial sums of so many chunks of x fit into the workspace; a product of more runs in several launches.
  const std::int64_t row_blocks = (CellsOf(gemm.w.n) + plan.row_warps - 1) / plan.row_warps;
  std::int64_t chunks = 65535;  // a grid's limit
  if (plan.splits > 1) {
    const std::int64_t chunk_bytes = row_blocks * plan.splits * plan.columns * plan.row_warps * kCell * 4;
    chunks =
        std::min(std::int64_t{kGemmCounters} / row_blocks, static_cast<std::int64_t>(kGemmScratchBytes) / chunk_bytes);
    GPU_REQUIRE(chunks > 0);
  }
  for (std::int64_t row = 0; row < gemm.m; row += chunks * kQuantColumnsMax) {
    const QuantProblem problem{.data = static_cast<const std::uint8_t*>(gemm.w.data),
                               .scales = static_cast<const std::uint8_t*>(gemm.w.scales),
                               .x = gemm.x_bf16 + row * gemm.w.k,
                               .y_f32 = gemm.y_f32 == nullptr ? nullptr : gemm.y_f32 + row * gemm.y_stride,
                               .y_bf16 = gemm.y_bf16 == nullptr ? nullptr : gemm.y_bf16 + row * gemm.y_stride,
                               .partials = context->scratch,
                               .counters = context->counters,
                               .m = static_cast<std::int32_t>(std::min(gemm.m - row, chunks * kQuantColumnsMax)),
                               .n = gemm.w.n,
                               .k = gemm.w.k,
                               .y_stride = gemm.y_stride,
                               .columns_log2 = std::countr_zero(static_cast<unsigned>(plan.columns)),
                               .row_warps_log2 = std::countr_zero(static_cast<unsigned>(plan.row_warps)),
                               .exponent = kQuantExponent,
                               .accumulate = gemm.accumulate};
    const auto launch = plan.columns <= 16 ? LaunchQuantGemmFew : LaunchQuantGemmMany;
    GPU_RETURN_IF_ERROR(launch(gemm.w.format, problem, plan, stream));
  }
  return LaunchResult::Ok();
}

LaunchResult RunQuantGemm(const Gemm& gemm, GemmContext* context, Stream stream) {
  if (gemm.m <= 0) return RunQuantGemm(gemm, QuantPlan{}, context, stream);
  return RunQuantGemm(gemm, PlanQuantGemm(gemm.w.format, gemm.m, gemm.w.n, gemm.w.k, context->shared_bytes_max),
                      context, stream);
}

}  // namespace kernels::gpu
