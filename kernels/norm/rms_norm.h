#pragma once

#include <cstdint>

namespace kernels {

// y[r][i] = x[r][i] / sqrt(mean over j of x[r][j]^2 + eps) * weight[i]     (RMSNorm: Zhang and Sennrich 2019)
//   x, y   : [rows][width]; y may be x
//   weight : [width]
using RmsNormFn = void(const float* x, const float* weight, float eps, std::int64_t rows, std::int64_t width, float* y);

RmsNormFn RmsNormRef;

}  // namespace kernels
