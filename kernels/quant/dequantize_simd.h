#pragma once

#include <cstdint>

#include "kernels/quant/weight_format.h"

namespace kernels {

// See dequantize.h. S is one of the vector targets in kernels/primitives.
template <class S>
inline void DequantizeNibbles(const std::uint8_t* nibbles, float scale, float offset, float* out) {
  const auto scale_v = S::Set1(scale);
  const auto offset_v = S::Set1(offset);
  for (int i = 0; i < 16; i += S::kLanes) {
    S::Store(out + i, S::Fma(S::LoadLowNibbles(nibbles + i), scale_v, offset_v));
    S::Store(out + i + 16, S::Fma(S::LoadHighNibbles(nibbles + i), scale_v, offset_v));
  }
}

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
  const auto half_at = [](const std::uint8_t* bytes) {
    std::uint16_t bits;
    __builtin_memcpy(&bits, bytes, sizeof(bits));
    return S::HalfToFloat(bits);
  };
  const std::int64_t blocks = values / kQuantBlockValues;
  switch (format) {
    case WeightFormat::kQ4_0:
      for (std::int64_t b = 0; b < blocks; ++b, row += 18, out += kQuantBlockValues) {
        const float d = half_at(row);
        DequantizeNibbles<S>(row + 2, d, -8.0F * d, out);
      }
      return;
    case WeightFormat::kQ4_1:
      for (std::int64_t b = 0; b < blocks; ++b, row += 20, out += kQuantBlockValues) {
        DequantizeNibbles<S>(row + 4, half_at(row), half_at(row + 2), out);
      }
      return;
    case WeightFormat::kQ8_0:
      for (std::int64_t b = 0; b < blocks; ++b, row += 34, out += kQuantBlockValues) {
        const auto d = S::Set1(half_at(row));
        for (int i = 0; i < kQuantBlockValues; i += S::kLanes) S::Store(out + i, S::Mul(S::LoadI8(row + 2 + i), d));
      }
      return;
    default:
      DequantizePlain<S>(format, row, values, out);
  }
}

}  // namespace kernels
