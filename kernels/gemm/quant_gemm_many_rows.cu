#include "kernels/gemm/quant_gemm_kernel.cuh"

namespace kernels::gpu {

LaunchResult LaunchQuantGemmMany(MatrixFormat format, const QuantProblem& problem, const QuantPlan& plan,
                                 Stream stream) {
  return plan.columns <= 32 ? LaunchQuantGemm<4>(format, problem, plan, stream)
                            : LaunchQuantGemm<8>(format, problem, plan, stream);
}

}  // namespace kernels::gpu
