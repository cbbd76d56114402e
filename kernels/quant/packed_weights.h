#pragma once

#include <cstdint>

#include "kernels/quant/weight_format.h"

namespace kernels {

// Quantised weights in the order in which an int8 dot product wants them. Every format of a GGUF file has the form
//   w = d * q + m      with unsigned q of 4 or 8 bits and one (d, m) for a block of 32 columns of a row
// (signed formats: q - 8 or q - 128 becomes m = -8 d or -128 d), so that few layouts serve them all. Centred,
//   w = d * (q - c) + e,  e = m + c d,  c = 8 for 4 bits and 128 for 8.
//
// A panel is 16 rows; the last one is filled up with zeros. Columns lie in groups of three blocks (fewer in the last),
// which is also where activations have their scales (quantize_rows.h). A panel is read from front to back.
//
// k4, a group of g blocks: 320 g bytes
//   [g][256] nibbles: 4 runs of 64 bytes a block; byte 4 r + j of run v has q[r][4 v + j] in its low and
//            q[r][16 + 4 v + j] in its high half, so that a vector instruction multiplies 4 columns of all 16 rows
//   [g][16]  int16 of d
//   [16][2]  int16 of e of the first two blocks (if g >= 2), then [16] of the last one (if g is odd)
//   Both are whole multiples of the row's unit, F32 [16], which stands once at the panel's end. So a group's product is
//   one exact integer: (q - 8) x of a block fits 16 bits, and with |d|, |e| <= 16,384 units a group of three fits 32.
// k8, a block: 8 runs of 64 bytes, byte 4 r + j of run v is q[r][4 v + j]; then d, F32 [16]. There e is 0.
// k8Offset: the same with e, F32 [16], behind d.
enum class PackedLayout { k4, k8, k8Offset };

inline constexpr std::int64_t kPanelRows = 16;
inline constexpr std::int64_t kGroupBlocks = 3;
inline constexpr std::int64_t kGroupColumns = kGroupBlocks * kQuantBlockValues;
inline constexpr float kUnitsMax = 16384.0F;

// Bytes of 16 rows and 32 columns.
constexpr std::int64_t PackedBlockBytes(PackedLayout layout) {
  return layout == PackedLayout::k4 ? 320 : layout == PackedLayout::k8 ? 576 : 640;
}
constexpr std::int64_t PanelsFor(std::int64_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }
constexpr std::int64_t GroupsFor(std::int64_t columns) { return (columns + kGroupColumns - 1) / kGroupColumns; }
constexpr std::int64_t PackedPanelBytes(PackedLayout layout, std::int64_t columns) {
  return columns / kQuantBlockValues * PackedBlockBytes(layout) + (layout == PackedLayout::k4 ? 4 * kPanelRows : 0);
}

// How `format` is packed; only the quantised formats are. Q6_K has a scale for each 16 columns and is rounded anew to 8
// bits with one for 32: an error of at most 1/254 of the largest of them.
constexpr bool CanPack(WeightFormat format) { return BlockOf(format).values > 1; }
constexpr PackedLayout LayoutOfPacked(WeightFormat format) {
  switch (format) {
    case WeightFormat::kQ4_0:
    case WeightFormat::kQ4_1:
    case WeightFormat::kQ4_K:
      return PackedLayout::k4;
    case WeightFormat::kQ5_1:
    case WeightFormat::kQ5_K:
      return PackedLayout::k8Offset;
    default:
      return PackedLayout::k8;
  }
}

// Packs one panel.
//   file  : [rows_left][RowBytes(format, columns)] the panel's first row and those after it; at most 16 are read
//   panel : [PackedPanelBytes] aligned to 64 bytes
// REQUIRES: CanPack(format), whole blocks, 1 <= rows_left.
void PackPanel(WeightFormat format, const std::uint8_t* file, std::int64_t rows_left, std::int64_t columns,
               std::uint8_t* panel);

}  // namespace kernels
