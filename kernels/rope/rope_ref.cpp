#include <cmath>

#include "kernels/rope/rope.h"

namespace kernels {

void FillRopeTable(std::int64_t positions, std::int64_t head_dim, float freq_base, float* table) {
  for (std::int64_t position = 0; position < positions; ++position) {
    float* own = table + position * 2 * head_dim;
    float* neighbour = own + head_dim;
    for (std::int64_t i = 0; i < head_dim; i += 2) {
      const float frequency = 1.0F / std::pow(freq_base, static_cast<float>(i) / static_cast<float>(head_dim));
      const float angle = static_cast<float>(position) * frequency;
      own[i] = own[i + 1] = std::cos(angle);
      neighbour[i] = -std::sin(angle);
      neighbour[i + 1] = std::sin(angle);
    }
  }
}

void RopeRowRef(float* x, std::int64_t heads, std::int64_t head_dim, const float* table_row) {
  for (std::int64_t h = 0; h < heads; ++h, x += head_dim) {
    for (std::int64_t i = 0; i < head_dim; i += 2) {
      const float even = x[i], odd = x[i + 1];
      x[i] = even * table_row[i] + odd * table_row[head_dim + i];
      x[i + 1] = odd * table_row[i + 1] + even * table_row[head_dim + i + 1];
    }
  }
}

}  // namespace kernels
