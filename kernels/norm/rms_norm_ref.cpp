#include <cmath>

#include "kernels/norm/rms_norm.h"

namespace kernels {

void RmsNormRef(const float* x, const float* weight, float eps, std::int64_t rows, std::int64_t width, float* y) {
  for (std::int64_t r = 0; r < rows; ++r, x += width, y += width) {
    double squares = 0.0;
    for (std::int64_t i = 0; i < width; ++i) squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    const double scale = 1.0 / std::sqrt(squares / static_cast<double>(width) + static_cast<double>(eps));
    for (std::int64_t i = 0; i < width; ++i) y[i] = static_cast<float>(x[i] * scale) * weight[i];
  }
}

}  // namespace kernels
