#pragma once

#include <cstdint>

#include "kernels/quant/weight_format.h"

namespace kernels {

// Quantised weights in the order in which an int8 dot product wants them. Every format of a GGUF file has the form
//   w = d * q + m      with unsigned q of 4 or 8 bits and one (d, m) for 32 columns of a row
// (signed formats: q - 8 or q - 128 becomes m = -8 d or -128 d), so one kernel serves them all.
//
// A panel is 16 rows; the last one is filled up with zeros. For each 32 columns it holds
//   4 bits: 4 runs of 64 bytes; byte 4 r + j of run v has q[r][4 v + j] in its low and q[r][16 + 4 v + j] in its high
//   half 8 bits: 8 runs of 64 bytes; byte 4 r + j of run v is q[r][4 v + j] then d[16] and m[16], in F16 where that is
//   what the file has, else in F32
// so that a vector instruction multiplies 4 columns of all 16 rows, and a panel is read from front to back.
enum class PackedBits { k4, k8 };
enum class PackedScales { kF16, kF32 };

inline constexpr std::int64_t kPanelRows = 16;

struct PackedLayout {
  PackedBits bits;
  PackedScales scales;
};

// Bytes of 16 rows and 32 columns.
constexpr std::int64_t PackedBlockBytes(PackedLayout layout) {
  return (layout.bits == PackedBits::k4 ? 256 : 512) + 2 * kPanelRows * (layout.scales == PackedScales::kF16 ? 2 : 4);
}
constexpr std::int64_t PanelsFor(std::int64_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }
constexpr std::int64_t PackedPanelBytes(PackedLayout layout, std::int64_t columns) {
  return columns / kQuantBlockValues * PackedBlockBytes(layout);
}

// How `format` is packed; only the quantised formats are. Q6_K has a scale for each 16 columns and is rounded anew to 8
// bits with one for 32: an error of at most 1/254 of the largest of them.
constexpr bool CanPack(WeightFormat format) { return BlockOf(format).values > 1; }
constexpr PackedLayout LayoutOfPacked(WeightFormat format) {
  switch (format) {
    case WeightFormat::kQ4_0:
    case WeightFormat::kQ4_1:
      return {PackedBits::k4, PackedScales::kF16};
    case WeightFormat::kQ4_K:
      return {PackedBits::k4, PackedScales::kF32};
    case WeightFormat::kQ8_0:
    case WeightFormat::kQ5_0:
    case WeightFormat::kQ5_1:
      return {PackedBits::k8, PackedScales::kF16};
    default:
      return {PackedBits::k8, PackedScales::kF32};
  }
}

// Packs one panel.
//   file  : [rows_left][RowBytes(format, columns)] the panel's first row and those after it; at most 16 are read
//   panel : [PackedPanelBytes] aligned to 64 bytes
// REQUIRES: CanPack(format), whole blocks, 1 <= rows_left.
void PackPanel(WeightFormat format, const std::uint8_t* file, std::int64_t rows_left, std::int64_t columns,
               std::uint8_t* panel);

}  // namespace kernels
