#include <cstring>

#include "kernels/quant/dequantize.h"
#include "kernels/quant/half.h"

namespace kernels {
namespace {

template <typename T>
T LoadAs(const std::uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

float LoadHalf(const std::uint8_t* bytes) { return HalfToFloat(LoadAs<std::uint16_t>(bytes)); }

void DequantizeNibbles(const std::uint8_t* nibbles, float scale, float offset, float* out) {
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>(nibbles[i] & 0x0f) + offset;
    out[i + 16] = scale * static_cast<float>(nibbles[i] >> 4) + offset;
  }
}

void DequantizeFiveBits(const std::uint8_t* fifth_bits, const std::uint8_t* nibbles, float scale, float offset,
                        float* out) {
  const auto high = LoadAs<std::uint32_t>(fifth_bits);
  for (int i = 0; i < 32; ++i) {
    const int low = i < 16 ? nibbles[i] & 0x0f : nibbles[i - 16] >> 4;
    out[i] = scale * static_cast<float>(low | static_cast<int>(high >> i & 1) << 4) + offset;
  }
}

// The 12 bytes of 6-bit scales s0..s7 and minima m0..m7 of Q4_K and Q5_K: byte j < 4 has s_j below and the upper bits
// of s_(j+4) above, byte 4 + j likewise for the minima, byte 8 + j the lower four bits of s_(j+4) below and of m_(j+4)
// above.
struct ScaleAndMinimum {
  int scale, minimum;
};
ScaleAndMinimum UnpackGroup(const std::uint8_t* packed, int group) {
  if (group < 4) return {packed[group] & 63, packed[group + 4] & 63};
  const int low = packed[group + 4];
  return {(low & 0x0f) | packed[group - 4] >> 6 << 4, low >> 4 | packed[group] >> 6 << 4};
}

// Byte i of the j-th 32 bytes of nibbles: value 64 j + i in its low half and value 64 j + 32 + i in its high half. Byte
// i of Q5_K's fifth bits: bit g belongs to value 32 g + i.
void DequantizeQ45K(const std::uint8_t* bytes, bool five_bits, float* out) {
  const float d = LoadHalf(bytes), dmin = LoadHalf(bytes + 2);
  const std::uint8_t* fifth_bits = bytes + 16;
  const std::uint8_t* nibbles = bytes + (five_bits ? 48 : 16);
  for (int group = 0; group < 8; ++group) {
    const auto [scale, minimum] = UnpackGroup(bytes + 4, group);
    const float group_d = d * static_cast<float>(scale), offset = -dmin * static_cast<float>(minimum);
    for (int i = 0; i < 32; ++i) {
      const int byte = nibbles[group / 2 * 32 + i];
      int value = group % 2 == 0 ? byte & 0x0f : byte >> 4;
      if (five_bits) value |= (fifth_bits[i] >> group & 1) << 4;
      out[group * 32 + i] = group_d * static_cast<float>(value) + offset;
    }
  }
}

// The two halves of 128 values are alike. In a half, part p (0..3) is the values 32 p + i; its low nibble is in byte
// 32 (p % 2) + i of the nibbles (low half of the byte for p < 2), its upper two bits are bits 2 p of byte i of the
// pairs.
void DequantizeQ6K(const std::uint8_t* bytes, float* out) {
  const float d = LoadHalf(bytes + 208);
  for (int value = 0; value < 256; ++value) {
    const int half = value / 128, part = value / 32 % 4, i = value % 32;
    const int low_byte = bytes[half * 64 + part % 2 * 32 + i];
    const int low = part < 2 ? low_byte & 0x0f : low_byte >> 4;
    const int high = bytes[128 + half * 32 + i] >> 2 * part & 3;
    const auto scale = LoadAs<std::int8_t>(bytes + 192 + value / 16);
    out[value] = d * static_cast<float>(scale) * static_cast<float>((low | high << 4) - 32);
  }
}

void DequantizeBlock(WeightFormat format, const std::uint8_t* bytes, float* out) {
  switch (format) {
    case WeightFormat::kF32:
      *out = LoadAs<float>(bytes);
      return;
    case WeightFormat::kF16:
      *out = LoadHalf(bytes);
      return;
    case WeightFormat::kBF16: {
      const std::uint32_t wide = std::uint32_t{LoadAs<std::uint16_t>(bytes)} << 16;
      std::memcpy(out, &wide, sizeof(wide));
      return;
    }
    case WeightFormat::kQ8_0:
      for (int i = 0; i < 32; ++i) out[i] = LoadHalf(bytes) * static_cast<float>(LoadAs<std::int8_t>(bytes + 2 + i));
      return;
    case WeightFormat::kQ4_0:
      return DequantizeNibbles(bytes + 2, LoadHalf(bytes), -8.0F * LoadHalf(bytes), out);
    case WeightFormat::kQ4_1:
      return DequantizeNibbles(bytes + 4, LoadHalf(bytes), LoadHalf(bytes + 2), out);
    case WeightFormat::kQ5_0:
      return DequantizeFiveBits(bytes + 2, bytes + 6, LoadHalf(bytes), -16.0F * LoadHalf(bytes), out);
    case WeightFormat::kQ5_1:
      return DequantizeFiveBits(bytes + 4, bytes + 8, LoadHalf(bytes), LoadHalf(bytes + 2), out);
    case WeightFormat::kQ4_K:
      return DequantizeQ45K(bytes, /*five_bits=*/false, out);
    case WeightFormat::kQ5_K:
      return DequantizeQ45K(bytes, /*five_bits=*/true, out);
    case WeightFormat::kQ6_K:
      return DequantizeQ6K(bytes, out);
  }
}

}  // namespace

void DequantizeRowRef(WeightFormat format, const std::uint8_t* row, std::int64_t values, float* out) {
  const WeightBlock block = BlockOf(format);
  for (std::int64_t i = 0; i + block.values <= values; i += block.values, row += block.bytes) {
    DequantizeBlock(format, row, out + i);
  }
}

}  // namespace kernels
