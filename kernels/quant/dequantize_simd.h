#pragma once

#include <cstdint>

#include "kernels/quant/dequantize.h"

namespace kernels {

// See dequantize.h. S is one of the vector targets in kernels/primitives.
template <class S>
inline void DequantizePlain(WeightFormat format, const std::uint8_t* row, std::int64_t values, float* out) {
  if (format == WeightFormat::kF32) {
    __builtin_memcpy(out, row, static_cast<std::size_t>(values) * sizeof(float));
    return;
  }
  const auto widen = [&](const std::uint16_t* from) {
    return format == WeightFormat::kF16 ? S::LoadF16(from) : S::LoadBF16(from);
  };
  std::int64_t i = 0;
  std::uint16_t tail[S::kLanes] = {};
  for (; i + S::kLanes <= values; i += S::kLanes) {
    __builtin_memcpy(tail, row + 2 * i, sizeof(tail));  // a plain unaligned load
    S::Store(out + i, widen(tail));
  }
  if (i == values) return;
  __builtin_memcpy(tail, row + 2 * i, static_cast<std::size_t>(values - i) * 2);
  float wide[S::kLanes];
  S::Store(wide, widen(tail));
  for (int lane = 0; i < values; ++i, ++lane) out[i] = wide[lane];
}

template <class S>
inline void DequantizeRow(WeightFormat format, const std::uint8_t* row, std::int64_t values, float* out) {
  const std::int64_t blocks = values / kQuantBlockValues;
  switch (format) {
    case WeightFormat::kQ4_0:
      for (std::int64_t b = 0; b < blocks; ++b, row += 18, out += kQuantBlockValues) {
        const auto d = S::Set1Half(row);
        S::WidenNibbles(row + 2, d, S::Mul(d, S::Set1(-8.0F)), out);
      }
      return;
    case WeightFormat::kQ4_1:
      for (std::int64_t b = 0; b < blocks; ++b, row += 20, out += kQuantBlockValues) {
        const auto [d, m] = S::Set1HalfPair(row);
        S::WidenNibbles(row + 4, d, m, out);
      }
      return;
    case WeightFormat::kQ8_0:
      for (std::int64_t b = 0; b < blocks; ++b, row += 34, out += kQuantBlockValues) {
        const auto d = S::Set1Half(row);
        for (int i = 0; i < kQuantBlockValues; i += S::kLanes) S::Store(out + i, S::Mul(S::LoadI8(row + 2 + i), d));
      }
      return;
    case WeightFormat::kQ5_0:
    case WeightFormat::kQ5_1:
    case WeightFormat::kQ4_K:
    case WeightFormat::kQ5_K:
    case WeightFormat::kQ6_K:
      DequantizeRowRef(format, row, values, out);  // readable, not yet fast
      return;
    default:
      DequantizePlain<S>(format, row, values, out);
  }
}

}  // namespace kernels
