#include <cstring>

#include "kernels/gemm/packed_gemm.h"
#include "kernels/quant/half.h"

namespace kernels {
namespace {

float ScaleAt(PackedScales scales, const std::uint8_t* from, std::int64_t index) {
  if (scales == PackedScales::kF32) {
    float value;
    std::memcpy(&value, from + 4 * index, sizeof(value));
    return value;
  }
  std::uint16_t half;
  std::memcpy(&half, from + 2 * index, sizeof(half));
  return HalfToFloat(half);
}

int WeightAt(PackedBits bits, const std::uint8_t* block, std::int64_t row, int column) {
  if (bits == PackedBits::k8) return block[column / 4 * 64 + row * 4 + column % 4];
  const int byte = block[column % 16 / 4 * 64 + row * 4 + column % 4];
  return column < 16 ? byte & 0xF : byte >> 4;
}

}  // namespace

void PackedGemmPanelRef(const PackedGemm& gemm, std::int64_t panel) {
  const QuantizedRows& x = gemm.x;
  const std::int64_t value_bytes = gemm.layout.bits == PackedBits::k4 ? 256 : 512;
  const std::uint8_t* w = gemm.w + panel * PackedPanelBytes(gemm.layout, x.columns);
  for (std::int64_t m = 0; m < x.rows; ++m) {
    for (std::int64_t r = 0; r < kPanelRows && panel * kPanelRows + r < gemm.n; ++r) {
      double sum = 0.0;
      const std::uint8_t* block = w;
      for (std::int64_t b = 0; b < x.columns / 32; ++b, block += PackedBlockBytes(gemm.layout)) {
        const std::int8_t* q = x.values + (b * x.rows + m) * 32;
        const float* scales = x.scales + (b * x.rows + m) * 2;
        int dot = 0;
        for (int c = 0; c < 32; ++c) dot += WeightAt(gemm.layout.bits, block, r, c) * q[c];
        const double d = ScaleAt(gemm.layout.scales, block + value_bytes, r);
        const double offset = ScaleAt(gemm.layout.scales, block + value_bytes, kPanelRows + r);
        sum += d * static_cast<double>(scales[0]) * dot + offset * static_cast<double>(scales[1]);
      }
      float& y = gemm.y[m * gemm.y_stride + panel * kPanelRows + r];
      y = gemm.accumulate ? y + static_cast<float>(sum) : static_cast<float>(sum);
    }
  }
}

}  // namespace kernels
