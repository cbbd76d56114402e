#pragma once

#include <cstdint>

#include "kernels/quant/packed_weights.h"

namespace kernels {

// What the products of a row's group of three blocks (96 columns) need beside its bytes.
struct QuantizedGroup {
  float scale;                        // max |x| / 127: x = scale * q
  std::int16_t sums[4];               // of the q of each block, 0 beyond the last
  std::int32_t start4[kGroupBlocks];  // -8 * sum: where sums of products with 4-bit weights start
  std::int32_t start8[kGroupBlocks];  // -128 * sum, of 8-bit weights
  float float_sums[kGroupBlocks];
};

// Activations as the int8 products take them: signed bytes with a scale for each group. Of scales for 32, 64, 96, 192
// and all columns of a row, 96 is the longest that costs no perplexity beside 32, and the products of a group are one
// integer. Rows lie next to each other within a group, because a panel of weights meets them in that order.
//   values : [GroupsFor(columns)][rows][96], the last group narrower if columns is no multiple of 96; aligned to 64
//   bytes groups : [GroupsFor(columns)][rows]
// A value that is NaN or infinite makes its scale NaN, so that it is not hidden.
struct QuantizedRows {
  std::int8_t* values;
  QuantizedGroup* groups;
  std::int64_t rows, columns;
};

constexpr std::int64_t BlocksOfGroup(std::int64_t columns, std::int64_t group) {
  const std::int64_t left = columns / kQuantBlockValues - group * kGroupBlocks;
  return left < kGroupBlocks ? left : kGroupBlocks;
}

// Rounds one row of `to`.
//   x : [to.columns]
// REQUIRES: columns a multiple of 32, row < to.rows. Different threads take different rows.
using QuantizeRowFn = void(const float* x, const QuantizedRows& to, std::int64_t row);

QuantizeRowFn QuantizeRowRef;

}  // namespace kernels
