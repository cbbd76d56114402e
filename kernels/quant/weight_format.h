#pragma once

#include <cstdint>

namespace kernels {

// How the weights of a row lie in memory; bit for bit as in a GGUF file (ggml's block layouts), little endian.
// In the nibble formats byte i of a block holds value i in its low half and value i + 16 in its high half.
enum class WeightFormat {
  kF32,
  kF16,
  kBF16,
  kQ8_0,  // 32 values in 34 bytes: f16 d, 32 signed bytes;               value = d * byte
  kQ4_0,  // 32 values in 18 bytes: f16 d, 16 bytes of nibbles;           value = d * (nibble - 8)
  kQ4_1,  // 32 values in 20 bytes: f16 d, f16 m, 16 bytes of nibbles;    value = d * nibble + m
};

inline constexpr std::int64_t kQuantBlockValues = 32;

// Bytes of a row of `values` weights. REQUIRES: whole blocks for the quantised formats.
constexpr std::int64_t RowBytes(WeightFormat format, std::int64_t values) {
  switch (format) {
    case WeightFormat::kF32:
      return values * 4;
    case WeightFormat::kF16:
    case WeightFormat::kBF16:
      return values * 2;
    case WeightFormat::kQ8_0:
      return values / kQuantBlockValues * 34;
    case WeightFormat::kQ4_0:
      return values / kQuantBlockValues * 18;
    case WeightFormat::kQ4_1:
      return values / kQuantBlockValues * 20;
  }
  return 0;
}

}  // namespace kernels
