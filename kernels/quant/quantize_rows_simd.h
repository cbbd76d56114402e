#pragma once

#include <cstdint>

#include "kernels/quant/quantize_rows.h"
#include "kernels/quant/rounding_factor.h"

namespace kernels {

// See quantize_rows.h. S is one of the vector targets in kernels/primitives.
template <class S>
inline void QuantizeRow(const float* x, const QuantizedRows& to, std::int64_t row) {
  const std::int64_t groups = GroupsFor(to.columns);
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::int64_t blocks = BlocksOfGroup(to.columns, g);
    auto largest = S::Zero(), poison = S::Zero();
    for (std::int64_t i = 0; i < blocks * 32; i += S::kLanes) {
      const auto v = S::Load(x + i);
      largest = S::Max(largest, S::Max(v, S::Sub(S::Zero(), v)));
      poison = S::Fma(v, S::Zero(), poison);  // NaN if v is NaN or infinite
    }
    const float most = S::ReduceMax(largest);
    const auto inverse = S::Set1(RoundingFactor(most));
    std::int8_t* values = to.values + g * to.rows * kGroupColumns + row * blocks * 32;
    typename S::F32 block_sums[kGroupBlocks];
    for (auto& zeroed : block_sums) zeroed = S::Zero();
    for (std::int64_t b = 0; b < blocks; ++b, x += 32, values += 32) {
      for (int i = 0; i < 32; i += S::kLanes) {
        const auto q = S::Round(S::Mul(S::Load(x + i), inverse));
        block_sums[b] = S::Add(block_sums[b], q);
        S::StoreI8(values + i, q);
      }
    }
    float sums[4];
    S::ReduceSum4(block_sums[0], block_sums[1], block_sums[2], poison, sums);
    QuantizedGroup& group = to.groups[g * to.rows + row];
    group.scale = most / 127.0F + sums[kGroupBlocks];
    const bool finite = group.scale == group.scale;
    for (int b = 0; b < 4; ++b) {
      const auto sum = static_cast<std::int32_t>(finite && b < kGroupBlocks ? sums[b] : 0.0F);
      group.sums[b] = static_cast<std::int16_t>(sum);
      if (b == kGroupBlocks) break;
      group.start4[b] = -8 * sum;
      group.start8[b] = -128 * sum;
      group.float_sums[b] = static_cast<float>(sum);
    }
  }
}

}  // namespace kernels
