#include <cmath>

#include "kernels/rope/rope.h"

namespace kernels {
namespace {

// Where the two values of pair `i` lie in a head.
struct Pair {
  std::int64_t first, second;
};
Pair PairAt(std::int64_t i, std::int64_t head_dim, RopePairs pairs) {
  return pairs == RopePairs::kNeighbours ? Pair{2 * i, 2 * i + 1} : Pair{i, i + head_dim / 2};
}

}  // namespace

void FillRopeTable(std::int64_t positions, const RopeAngles& angles, float* table) {
  const std::int64_t head_dim = angles.head_dim;
  for (std::int64_t position = 0; position < positions; ++position) {
    float* own = table + position * 2 * head_dim;
    float* partner = own + head_dim;
    for (std::int64_t i = 0; i < head_dim / 2; ++i) {
      float frequency = 1.0F / std::pow(angles.freq_base, static_cast<float>(2 * i) / static_cast<float>(head_dim));
      if (angles.pair_divisors != nullptr) frequency /= angles.pair_divisors[i];
      const float angle = static_cast<float>(position) * (frequency / angles.position_divisor);
      const Pair at = PairAt(i, head_dim, angles.pairs);
      own[at.first] = own[at.second] = std::cos(angle);
      partner[at.first] = -std::sin(angle);
      partner[at.second] = std::sin(angle);
    }
  }
}

void RopeRowRef(float* x, std::int64_t heads, std::int64_t head_dim, RopePairs pairs, const float* table_row) {
  const float* partner = table_row + head_dim;
  for (std::int64_t h = 0; h < heads; ++h, x += head_dim) {
    for (std::int64_t i = 0; i < head_dim / 2; ++i) {
      const Pair at = PairAt(i, head_dim, pairs);
      const float a = x[at.first], b = x[at.second];
      x[at.first] = a * table_row[at.first] + b * partner[at.first];
      x[at.second] = b * table_row[at.second] + a * partner[at.second];
    }
  }
}

}  // namespace kernels
