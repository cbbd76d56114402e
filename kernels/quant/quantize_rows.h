#pragma once

#include <cstdint>

namespace kernels {

// Activations as the int8 products take them: for each row and 32 columns, 32 signed bytes and a scale,
//   x = scale * q, scale = max |x| / 127
// and beside the scale the sum of the 32 values as they were rounded, which the weights' offsets are multiplied with.
// Rows lie next to each other within a block of columns, because a panel of weights meets them in that order.
//   values : [columns / 32][rows][32]
//   scales : [columns / 32][rows][2]   scale, scale * sum of q
// A value that is NaN or infinite makes its scale NaN, so that it is not hidden.
struct QuantizedRows {
  std::int8_t* values;
  float* scales;
  std::int64_t rows, columns;
};

constexpr std::int64_t QuantizedValues(std::int64_t rows, std::int64_t columns) { return rows * columns; }
constexpr std::int64_t QuantizedScales(std::int64_t rows, std::int64_t columns) { return rows * columns / 16; }

// Rounds one row of `to`.
//   x : [to.columns]
// REQUIRES: columns a multiple of 32, row < to.rows. Different threads take different rows.
using QuantizeRowFn = void(const float* x, const QuantizedRows& to, std::int64_t row);

QuantizeRowFn QuantizeRowRef;

}  // namespace kernels
