#include <cstring>

#include "kernels/gemm/packed_gemm.h"

namespace kernels {
namespace {

template <typename T>
double NumberAt(const std::uint8_t* from, std::int64_t index) {
  T value;
  std::memcpy(&value, from + index * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return static_cast<double>(value);
}

// 32 columns of a panel's row as they were packed: w = d * (q - c) + e.
struct UnpackedBlock {
  int centred[32];  // q - c
  double d, e;
};

UnpackedBlock BlockAt(PackedLayout layout, const std::uint8_t* panel, std::int64_t columns, std::int64_t row,
                      std::int64_t index) {
  UnpackedBlock block;
  if (layout != PackedLayout::k4) {
    const std::uint8_t* at = panel + index * PackedBlockBytes(layout);
    for (int c = 0; c < 32; ++c) block.centred[c] = at[c / 4 * 64 + row * 4 + c % 4] - 128;
    block.d = NumberAt<float>(at + 512, row);
    block.e = layout == PackedLayout::k8Offset ? NumberAt<float>(at + 576, row) : 0.0;
    return block;
  }
  const std::int64_t group = index / kGroupBlocks, b = index % kGroupBlocks, blocks = BlocksOfGroup(columns, group);
  const std::uint8_t* at = panel + group * kGroupBlocks * PackedBlockBytes(layout);
  for (int c = 0; c < 32; ++c) {
    const int byte = at[b * 256 + c % 16 / 4 * 64 + row * 4 + c % 4];
    block.centred[c] = (c < 16 ? byte & 0xF : byte >> 4) - 8;
  }
  const std::uint8_t* d = at + blocks * 256;
  const std::uint8_t* e = d + blocks * 32 + b / 2 * 64;
  const bool paired = b / 2 * 2 + 1 < blocks;
  const double unit = NumberAt<float>(panel + PackedPanelBytes(layout, columns) - 4 * kPanelRows, row);
  block.d = unit * NumberAt<std::int16_t>(d, b * kPanelRows + row);
  block.e = unit * NumberAt<std::int16_t>(e, paired ? 2 * row + b % 2 : row);
  return block;
}

// Row m of x times row n of w.
double Dot(const PackedGemm& gemm, const std::uint8_t* w, std::int64_t m, std::int64_t n) {
  const QuantizedRows& x = gemm.x;
  const std::uint8_t* panel = w + n / kPanelRows * PackedPanelBytes(gemm.layout, x.columns);
  double sum = 0.0;
  for (std::int64_t b = 0; b < x.columns / 32; ++b) {
    const UnpackedBlock block = BlockAt(gemm.layout, panel, x.columns, n % kPanelRows, b);
    const std::int64_t group = b / kGroupBlocks;
    const std::int8_t* q =
        x.values + group * x.rows * kGroupColumns + (m * BlocksOfGroup(x.columns, group) + b % kGroupBlocks) * 32;
    int dot = 0, total = 0;
    for (int c = 0; c < 32; ++c) {
      dot += block.centred[c] * q[c];
      total += q[c];
    }
    sum += static_cast<double>(x.groups[group * x.rows + m].scale) * (block.d * dot + block.e * total);
  }
  return sum;
}

}  // namespace

void PackedGemmTileRef(const PackedGemm& gemm, std::int64_t tile, std::int64_t row_begin, std::int64_t row_end) {
  const bool gated = gemm.gate != nullptr;
  const std::int64_t begin = tile * kPanelRows * (gated ? 1 : 2), end = begin + kPanelRows * (gated ? 1 : 2);
  for (std::int64_t m = row_begin; m < row_end; ++m) {
    for (std::int64_t n = begin; n < end && n < gemm.n; ++n) {
      double value = Dot(gemm, gemm.w, m, n);
      if (gated) value = GatedRef(gemm.activation, Dot(gemm, gemm.gate, m, n), value);
      float& y = gemm.y[m * gemm.y_stride + n];
      y = gemm.accumulate ? y + static_cast<float>(value) : static_cast<float>(value);
    }
  }
}

}  // namespace kernels
