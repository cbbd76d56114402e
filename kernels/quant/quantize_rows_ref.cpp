#include <algorithm>
#include <cmath>

#include "kernels/quant/quantize_rows.h"
#include "kernels/quant/rounding_factor.h"

namespace kernels {

void QuantizeRowRef(const float* x, const QuantizedRows& to, std::int64_t row) {
  for (std::int64_t g = 0; g < GroupsFor(to.columns); ++g) {
    const std::int64_t blocks = BlocksOfGroup(to.columns, g);
    float largest = 0.0F, poison = 0.0F;
    for (std::int64_t i = 0; i < blocks * 32; ++i) {
      largest = std::max(largest, std::fabs(x[i]));
      poison += x[i] * 0.0F;  // NaN if x is NaN or infinite
    }
    const float inverse = RoundingFactor(largest);
    std::int8_t* values = to.values + g * to.rows * kGroupColumns + row * blocks * 32;
    QuantizedGroup& group = to.groups[g * to.rows + row];
    group = {};
    group.scale = largest / 127.0F + poison;
    for (std::int64_t b = 0; b < blocks; ++b) {
      int sum = 0;
      for (int i = 0; i < 32; ++i, ++x, ++values) {
        const float q = std::nearbyint(*x * inverse);
        *values = static_cast<std::int8_t>(q >= -127.0F && q <= 127.0F ? q : 0.0F);
        sum += *values;
      }
      group.sums[b] = static_cast<std::int16_t>(sum);
      group.start4[b] = -8 * sum;
      group.start8[b] = -128 * sum;
      group.float_sums[b] = static_cast<float>(sum);
    }
  }
}

}  // namespace kernels
