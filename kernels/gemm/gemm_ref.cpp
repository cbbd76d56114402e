#include "kernels/gemm/gemm.h"
#include "kernels/quant/dequantize.h"

namespace kernels {

void GemmColumnsRef(const Gemm& gemm, std::int64_t n_begin, std::int64_t n_end, float* scratch) {
  for (std::int64_t n = n_begin; n < n_end; ++n) {
    DequantizeRowRef(gemm.format, gemm.w + n * RowBytes(gemm.format, gemm.k), gemm.k, scratch);
    for (std::int64_t m = 0; m < gemm.m; ++m) {
      const float* x = gemm.x + m * gemm.x_stride;
      double sum = 0.0;  // so that the reference is nearer to the truth than what it checks
      for (std::int64_t k = 0; k < gemm.k; ++k) sum += static_cast<double>(x[k]) * static_cast<double>(scratch[k]);
      float& y = gemm.y[m * gemm.y_stride + n];
      y = static_cast<float>(sum) + (gemm.accumulate ? y : 0.0F);
    }
  }
}

}  // namespace kernels
