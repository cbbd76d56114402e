#pragma once

#include <cstdint>

#include "kernels/quant/quantize_rows.h"
#include "kernels/quant/rounding_factor.h"

namespace kernels {

// One group. The number of blocks is a constant, so that everything stays in registers and neighbouring groups, whose
// reductions depend on nothing else, overlap.
template <class S, int kBlocks>
inline void QuantizeGroup(const float* x, std::int8_t* values, QuantizedGroup* group) {
  constexpr int kVectors = kBlocks * 32 / S::kLanes;
  auto largest = S::ZeroI32();
#pragma GCC unroll 24
  for (int i = 0; i < kVectors; ++i) largest = S::LargerMagnitude(largest, S::Load(x + i * S::kLanes));
  const float most = __builtin_bit_cast(float, S::ReduceMax(largest));
  const auto inverse = S::Set1(RoundingFactor(most));
  typename S::I32 block_sums[kGroupBlocks];
#pragma GCC unroll 3
  for (int b = 0; b < kGroupBlocks; ++b) {
    block_sums[b] = S::ZeroI32();
    if (b >= kBlocks) continue;
#pragma GCC unroll 8
    for (int i = b * 32; i < b * 32 + 32; i += S::kLanes) {
      const auto q = S::RoundToI32(S::Mul(S::Load(x + i), inverse));
      block_sums[b] = S::Add(block_sums[b], q);
      S::StoreI8(values + i, q);
    }
  }
  float sums[4];
  S::ReduceSum4(S::ToFloat(block_sums[0]), S::ToFloat(block_sums[1]), S::ToFloat(block_sums[2]), S::Zero(), sums);
  group->scale = RoundingScale(most);
  const bool finite = group->scale == group->scale;
  group->sums[kGroupBlocks] = 0;
#pragma GCC unroll 3
  for (int b = 0; b < kGroupBlocks; ++b) {
    const auto sum = static_cast<std::int32_t>(finite ? sums[b] : 0.0F);
    group->sums[b] = static_cast<std::int16_t>(sum);
    group->start4[b] = -8 * sum;
    group->start8[b] = -128 * sum;
    group->float_sums[b] = static_cast<float>(sum);
  }
}

// See quantize_rows.h. S is one of the vector targets in kernels/primitives.
template <class S>
inline void QuantizeRow(const float* x, const QuantizedRows& to, std::int64_t row) {
  const std::int64_t whole = to.columns / kGroupColumns;
  QuantizedGroup* group = to.groups + row;
  for (std::int64_t g = 0; g < whole; ++g, x += kGroupColumns, group += to.rows) {
    QuantizeGroup<S, kGroupBlocks>(x, to.values + (g * to.rows + row) * kGroupColumns, group);
  }
  const std::int64_t left = to.columns / 32 - whole * kGroupBlocks;
  std::int8_t* values = to.values + whole * to.rows * kGroupColumns + row * left * 32;
  if (left == 1) QuantizeGroup<S, 1>(x, values, group);
  if (left == 2) QuantizeGroup<S, 2>(x, values, group);
}

}  // namespace kernels
