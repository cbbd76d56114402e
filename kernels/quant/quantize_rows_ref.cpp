#include <algorithm>
#include <cmath>

#include "kernels/quant/quantize_rows.h"

namespace kernels {

void QuantizeRowRef(const float* x, const QuantizedRows& to, std::int64_t row) {
  for (std::int64_t b = 0; b < to.columns / 32; ++b, x += 32) {
    float largest = 0.0F, poison = 0.0F;
    for (int i = 0; i < 32; ++i) {
      largest = std::max(largest, std::fabs(x[i]));
      poison += x[i] * 0.0F;  // NaN if x is NaN or infinite
    }
    const float inverse = largest > 0.0F ? 127.0F / largest : 0.0F;
    std::int8_t* values = to.values + (b * to.rows + row) * 32;
    int sum = 0;
    for (int i = 0; i < 32; ++i) {
      const float q = std::nearbyint(x[i] * inverse);
      values[i] = static_cast<std::int8_t>(q >= -127.0F && q <= 127.0F ? q : 0.0F);
      sum += values[i];
    }
    const float scale = largest / 127.0F + poison;
    float* scales = to.scales + (b * to.rows + row) * 2;
    scales[0] = scale;
    scales[1] = scale * static_cast<float>(sum);
  }
}

}  // namespace kernels
