#include "kernels/gemm/few_rows_launch.cuh"

namespace kernels::gpu {

LaunchResult RunFewRowsGemmFp8(const Gemm& gemm, const FewRowsPlan& plan, GemmContext* context, Stream stream) {
  if (gemm.x_fp8 != nullptr) return LaunchFewRowsClass<Fp8, Fp8>(gemm, plan, context, stream);
  return LaunchFewRowsClass<Fp8, Bf16>(gemm, plan, context, stream);
}

}  // namespace kernels::gpu
