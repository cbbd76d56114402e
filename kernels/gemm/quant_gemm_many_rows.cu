#include "kernels/gemm/quant_gemm_kernel.cuh"

namespace kernels::gpu {

LaunchResult LaunchQuantGemmMany(MatrixFormat format, const QuantProblem& problem, const QuantPlan& plan,
                                 Stream stream) {
  if (plan.columns <= 32) return LaunchQuantGemm<4>(format, problem, plan, stream);
  return plan.stages == QuantStages(64) ? LaunchQuantGemm<8>(format, problem, plan, stream)
                                        : LaunchQuantGemm<8, false, QuantStagesMin(64)>(format, problem, plan, stream);
}

}  // namespace kernels::gpu
