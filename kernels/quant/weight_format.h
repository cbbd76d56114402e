#pragma once

#include <cstdint>

namespace kernels {

// How the weights of a row lie in memory; bit for bit as in a GGUF file (ggml's block layouts), little endian.
// Blocks of 32: byte i of the nibbles holds value i in its low half and value i + 16 in its high half; bit i of the
// fifth bits belongs to value i. Super-blocks of 256 (the K formats): eight groups of 32, or sixteen of 16 in Q6_K;
// dequantize_ref.cpp says where each bit lies.
enum class WeightFormat {
  kF32,
  kF16,
  kBF16,
  kQ8_0,  // 32 values in 34 bytes: f16 d, 32 signed bytes;                       value = d * byte
  kQ4_0,  // 32 values in 18 bytes: f16 d, 16 bytes of nibbles;                   value = d * (nibble - 8)
  kQ4_1,  // 32 values in 20 bytes: f16 d, f16 m, 16 bytes of nibbles;            value = d * nibble + m
  kQ5_0,  // 32 values in 22 bytes: f16 d, u32 fifth bits, 16 bytes of nibbles;   value = d * (five bits - 16)
  kQ5_1,  // 32 values in 24 bytes: f16 d, f16 m, u32 fifth bits, 16 of nibbles;  value = d * five bits + m
  kQ4_K,  // 256 in 144 bytes: f16 d, f16 dmin, 12 bytes of 6-bit scales and minima, 128 bytes of nibbles;
          //                                            value = d * scale * nibble - dmin * minimum
  kQ5_K,  // 256 in 176 bytes: f16 d, f16 dmin, 12 bytes as above, 32 bytes of fifth bits, 128 bytes of nibbles
  kQ6_K,  // 256 in 210 bytes: 128 bytes of low nibbles, 64 of high bit pairs, 16 signed scales, f16 d;
          //                                            value = d * scale * (six bits - 32)
};

inline constexpr std::int64_t kQuantBlockValues = 32;
inline constexpr std::int64_t kSuperBlockValues = 256;

// `bytes` bytes hold `values` consecutive values of a row. Always inline: the files of the vector targets use it too,
// and a shared copy might be the one with wide instructions.
struct WeightBlock {
  std::int64_t values, bytes;
};
[[gnu::always_inline]] constexpr WeightBlock BlockOf(WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32:
      return {1, 4};
    case WeightFormat::kF16:
    case WeightFormat::kBF16:
      return {1, 2};
    case WeightFormat::kQ8_0:
      return {kQuantBlockValues, 34};
    case WeightFormat::kQ4_0:
      return {kQuantBlockValues, 18};
    case WeightFormat::kQ4_1:
      return {kQuantBlockValues, 20};
    case WeightFormat::kQ5_0:
      return {kQuantBlockValues, 22};
    case WeightFormat::kQ5_1:
      return {kQuantBlockValues, 24};
    case WeightFormat::kQ4_K:
      return {kSuperBlockValues, 144};
    case WeightFormat::kQ5_K:
      return {kSuperBlockValues, 176};
    case WeightFormat::kQ6_K:
      return {kSuperBlockValues, 210};
  }
  return {1, 0};
}

// Bytes of a row of `values` weights. REQUIRES: whole blocks for the quantised formats.
[[gnu::always_inline]] constexpr std::int64_t RowBytes(WeightFormat format, std::int64_t values) {
  const WeightBlock block = BlockOf(format);
  return values / block.values * block.bytes;
}

}  // namespace kernels
