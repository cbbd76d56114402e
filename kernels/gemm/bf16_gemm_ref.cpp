#include <cstring>
#include <vector>

#include "kernels/gemm/bf16_gemm.h"
#include "kernels/quant/dequantize.h"

namespace kernels {
namespace {

double Bf16ToDouble(std::uint16_t bits) {
  const std::uint32_t wide = std::uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &wide, sizeof(value));
  return static_cast<double>(value);
}

std::uint16_t Rounded(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  const bool is_nan = (bits & 0x7FFFFFFF) > 0x7F800000;
  return static_cast<std::uint16_t>(is_nan ? bits >> 16 | 0x40 : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

double Dot(const Bf16Gemm& gemm, const std::uint16_t* w, std::int64_t m, std::int64_t n) {
  const std::uint16_t* panel = w + n / kPanelRows * kPanelRows * gemm.columns;
  double sum = 0.0;
  for (std::int64_t k = 0; k < gemm.columns; ++k) {
    sum += static_cast<double>(gemm.x[m * gemm.columns + k]) *
           Bf16ToDouble(panel[(k / 2 * kPanelRows + n % kPanelRows) * 2 + k % 2]);
  }
  return sum;
}

}  // namespace

void PackBf16Panel(WeightFormat format, const std::uint8_t* file, std::int64_t rows_left, std::int64_t columns,
                   std::uint16_t* panel) {
  const std::int64_t row_bytes = RowBytes(format, columns);
  std::memset(panel, 0, static_cast<std::size_t>(Bf16PanelBytes(columns)));
  std::vector<float> row(static_cast<std::size_t>(columns));
  for (std::int64_t r = 0; r < kPanelRows && r < rows_left; ++r) {
    DequantizeRowRef(format, file + r * row_bytes, columns, row.data());
    for (std::int64_t k = 0; k < columns; ++k) {
      panel[(k / 2 * kPanelRows + r) * 2 + k % 2] = Rounded(row[static_cast<std::size_t>(k)]);
    }
  }
}

void Bf16GemmTileRef(const Bf16Gemm& gemm, std::int64_t tile) {
  const bool gated = gemm.gate != nullptr;
  const std::int64_t width = kPanelRows * (gated ? 1 : 2), begin = tile * width;
  for (std::int64_t m = 0; m < gemm.rows; ++m) {
    for (std::int64_t n = begin; n < begin + width && n < gemm.n; ++n) {
      double value = Dot(gemm, gemm.w, m, n);
      if (gated) value = GatedRef(gemm.activation, Dot(gemm, gemm.gate, m, n), value);
      float& y = gemm.y[m * gemm.y_stride + n];
      y = gemm.accumulate ? y + static_cast<float>(value) : static_cast<float>(value);
    }
  }
}

}  // namespace kernels
