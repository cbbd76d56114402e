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

void DequantizeNibbles(const std::uint8_t* nibbles, float scale, float offset, float* out) {
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * static_cast<float>(nibbles[i] & 0x0f) + offset;
    out[i + 16] = scale * static_cast<float>(nibbles[i] >> 4) + offset;
  }
}

float DequantizePlain(WeightFormat format, const std::uint8_t* row, std::int64_t i) {
  if (format == WeightFormat::kF32) return LoadAs<float>(row + 4 * i);
  const auto bits = LoadAs<std::uint16_t>(row + 2 * i);
  if (format == WeightFormat::kF16) return HalfToFloat(bits);
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

}  // namespace

void DequantizeRowRef(WeightFormat format, const std::uint8_t* row, std::int64_t values, float* out) {
  if (format == WeightFormat::kF32 || format == WeightFormat::kF16 || format == WeightFormat::kBF16) {
    for (std::int64_t i = 0; i < values; ++i) out[i] = DequantizePlain(format, row, i);
    return;
  }
  const std::int64_t block_bytes = RowBytes(format, kQuantBlockValues);
  for (std::int64_t block = 0; block < values / kQuantBlockValues; ++block) {
    const std::uint8_t* bytes = row + block * block_bytes;
    float* block_out = out + block * kQuantBlockValues;
    const float d = HalfToFloat(LoadAs<std::uint16_t>(bytes));
    if (format == WeightFormat::kQ4_0) {
      DequantizeNibbles(bytes + 2, d, -8.0F * d, block_out);
    } else if (format == WeightFormat::kQ4_1) {
      DequantizeNibbles(bytes + 4, d, HalfToFloat(LoadAs<std::uint16_t>(bytes + 2)), block_out);
    } else {
      for (int i = 0; i < kQuantBlockValues; ++i) block_out[i] = d * LoadAs<std::int8_t>(bytes + 2 + i);
    }
  }
}

}  // namespace kernels
