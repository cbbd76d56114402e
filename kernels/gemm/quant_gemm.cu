#include "kernels/gemm/quant_gemm.h"

namespace kernels::gpu {

__attribute__((weak)) LaunchResult RunQuantGemm(const Gemm&, GemmContext*, Stream) {
  return LaunchResult::Refused("no kernel for this weight format");
}

}  // namespace kernels::gpu
