#pragma once

#include <cstdint>

#include "kernels/quant/weight_format.h"

namespace kernels {

// Widens one row of weights to F32.
//   row : [RowBytes(format, values)] bytes, any alignment
//   out : [values]
// REQUIRES: values > 0, whole blocks for the quantised formats.
using DequantizeRowFn = void(WeightFormat format, const std::uint8_t* row, std::int64_t values, float* out);

DequantizeRowFn DequantizeRowRef;

}  // namespace kernels
