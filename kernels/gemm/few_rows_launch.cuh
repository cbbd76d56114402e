#pragma once

#include <algorithm>
#include <type_traits>

#include "kernels/gemm/few_rows_kernel.cuh"

namespace kernels::gpu {

// From a product and a plan to the kernel of few_rows_kernel.cuh that is made for it. Each source that includes this
// compiles the kernels of the formats that it asks for.
template <typename Weight, typename Input, int kClass, int kVariant>
LaunchResult LaunchFewRows(const Gemm& gemm, std::int32_t splits, GemmContext* context, Stream stream) {
  using Shape = FewRowsShape<Weight, Input, kClass, kVariant>;
  FewRowsProblem<Shape> problem{};
  problem.w = static_cast<const Weight*>(gemm.w.data);
  problem.w_scales = static_cast<const float*>(gemm.w.scales);
  if constexpr (std::is_same_v<Input, Fp8>) {
    problem.x = gemm.x_fp8;
    problem.x_scales = gemm.x_scales;
  } else {
    problem.x = gemm.x_bf16;
  }
  problem.y_f32 = gemm.y_f32, problem.y_bf16 = gemm.y_bf16;
  problem.m = gemm.m, problem.n = gemm.w.n, problem.k = gemm.w.k, problem.y_stride = gemm.y_stride;
  problem.columns = std::min(gemm.m, Shape::kColumns);
  const std::int32_t steps = (gemm.w.k + Shape::kStepValues - 1) / Shape::kStepValues;
  problem.split_steps = steps / splits, problem.split_steps_more = steps % splits;
  problem.accumulate = gemm.accumulate;
  problem.partials = context->scratch, problem.counters = context->counters;
  const unsigned chunks = BlocksFor(gemm.m, Shape::kColumns), tiles = BlocksFor(gemm.w.n, Shape::kBlockRows);
  GPU_REQUIRE(tiles <= 65535);
  if (splits > 1) {
    const std::int64_t cells = std::int64_t{chunks} * tiles;
    GPU_REQUIRE(splits <= kFewRowsSplitsMax && cells <= kGemmCounters);
    const std::int64_t bytes = cells * splits * problem.columns * Shape::kBlockRows * std::int64_t{sizeof(float)};
    GPU_REQUIRE(bytes <= static_cast<std::int64_t>(kGemmScratchBytes));
  }
  const std::int32_t shared_bytes = Shape::SharedBytes(problem.columns);
  if (shared_bytes > context->shared_bytes_max) {
    return LaunchResult::Refused("a block of this card has too little shared memory for this cut of a product");
  }
  const LaunchShape shape = {.grid = {chunks, static_cast<unsigned>(splits), tiles},
                             .block = {Shape::kThreads},
                             .shared_bytes = static_cast<unsigned>(shared_bytes),
                             .overlap = true};
  return Launch(FewRowsKernel<Shape>, shape, stream, problem);
}

template <typename Weight, typename Input, int kClass>
LaunchResult LaunchFewRowsVariant(const Gemm& gemm, const FewRowsPlan& plan, GemmContext* context, Stream stream) {
  static_assert(kFewRowsVariants == 4);
  switch (plan.variant) {
    case 0:
      return LaunchFewRows<Weight, Input, kClass, 0>(gemm, plan.splits, context, stream);
    case 1:
      return LaunchFewRows<Weight, Input, kClass, 1>(gemm, plan.splits, context, stream);
    case 2:
      return LaunchFewRows<Weight, Input, kClass, 2>(gemm, plan.splits, context, stream);
    case 3:
      return LaunchFewRows<Weight, Input, kClass, 3>(gemm, plan.splits, context, stream);
    default:
      return LaunchResult::Refused("requires one of the cuts of a product of few rows");
  }
}

template <typename Weight, typename Input>
LaunchResult LaunchFewRowsClass(const Gemm& gemm, const FewRowsPlan& plan, GemmContext* context, Stream stream) {
  static_assert(kFewRowsClasses == 4);
  switch (FewRowsClassOf(gemm.m)) {
    case 0:
      return LaunchFewRowsVariant<Weight, Input, 0>(gemm, plan, context, stream);
    case 1:
      return LaunchFewRowsVariant<Weight, Input, 1>(gemm, plan, context, stream);
    case 2:
      return LaunchFewRowsVariant<Weight, Input, 2>(gemm, plan, context, stream);
    default:
      return LaunchFewRowsVariant<Weight, Input, 3>(gemm, plan, context, stream);
  }
}

}  // namespace kernels::gpu
