#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/quant/dequantize.h"
#include "kernels/quant/half.h"
#include "kernels/quant/packed_weights.h"
#include "kernels/quant/rounding_factor.h"

namespace kernels {
namespace {

// 32 weights of one row: w = d * (q - c) + e, with the layout's c.
struct Block {
  float d = 0.0F, e = 0.0F;
  std::uint8_t q[kQuantBlockValues] = {};
};

float HalfAt(const std::uint8_t* p) {
  std::uint16_t bits;
  std::memcpy(&bits, p, sizeof(bits));
  return HalfToFloat(bits);
}

void TakeNibbles(const std::uint8_t* nibbles, Block& block) {
  for (int i = 0; i < 16; ++i) {
    block.q[i] = nibbles[i] & 0xF;
    block.q[i + 16] = nibbles[i] >> 4;
  }
}

void AddFifthBits(const std::uint8_t* bits, Block& block) {
  std::uint32_t fifth;
  std::memcpy(&fifth, bits, sizeof(fifth));
  for (int i = 0; i < 32; ++i) block.q[i] = static_cast<std::uint8_t>(block.q[i] | ((fifth >> i & 1U) << 4));
}

// The 6-bit scale and minimum of group g of a Q4_K or Q5_K super-block (layout: dequantize_ref.cpp).
void ScaleAndMinimum(const std::uint8_t* packed, int g, float* scale, float* minimum) {
  int s, m;
  if (g < 4) {
    s = packed[g] & 63;
    m = packed[g + 4] & 63;
  } else {
    s = (packed[g + 4] & 0xF) | (packed[g - 4] >> 6) << 4;
    m = (packed[g + 4] >> 4) | (packed[g] >> 6) << 4;
  }
  *scale = static_cast<float>(s);
  *minimum = static_cast<float>(m);
}

// Group g (32 values) of a super-block with scales and minima: two groups share 32 bytes of nibbles.
Block SuperBlockGroup(WeightFormat format, const std::uint8_t* super, int g) {
  Block block;
  float scale, minimum;
  ScaleAndMinimum(super + 4, g, &scale, &minimum);
  const bool five = format == WeightFormat::kQ5_K;
  block.d = HalfAt(super) * scale;
  block.e = (five ? 128.0F : 8.0F) * block.d - HalfAt(super + 2) * minimum;
  const std::uint8_t* fifth = super + 16;
  const std::uint8_t* nibbles = super + (five ? 48 : 16) + g / 2 * 32;
  for (int i = 0; i < 32; ++i) {
    int q = g % 2 == 0 ? nibbles[i] & 0xF : nibbles[i] >> 4;
    if (five) q |= (fifth[i] >> g & 1) << 4;
    block.q[i] = static_cast<std::uint8_t>(q);
  }
  return block;
}

// Rounds 32 plain values to 8 bits.
Block Rounded(const float* values) {
  Block block;
  float largest = 0.0F;
  bool finite = true;
  for (int i = 0; i < 32; ++i) {
    largest = std::fmax(largest, std::fabs(values[i]));
    finite = finite && std::isfinite(values[i]);
  }
  block.d = finite ? largest / 127.0F : NAN;
  for (int i = 0; i < 32; ++i) {
    const float q = finite && RoundingFactor(largest) > 0.0F ? std::nearbyint(values[i] / block.d) : 0.0F;
    block.q[i] = static_cast<std::uint8_t>(static_cast<int>(q) + 128);
  }
  return block;
}

// The 32 weights from column 32 * index on.
Block TakeBlock(WeightFormat format, const std::uint8_t* row, std::int64_t index) {
  const WeightBlock layout = BlockOf(format);
  const std::uint8_t* at = row + (index * kQuantBlockValues / layout.values) * layout.bytes;
  Block block;
  switch (format) {
    case WeightFormat::kQ4_0:
      block.d = HalfAt(at);
      TakeNibbles(at + 2, block);
      return block;
    case WeightFormat::kQ4_1:
      block.d = HalfAt(at);
      block.e = HalfAt(at + 2) + 8.0F * block.d;
      TakeNibbles(at + 4, block);
      return block;
    case WeightFormat::kQ5_0:
      block.d = HalfAt(at);
      TakeNibbles(at + 6, block);
      AddFifthBits(at + 2, block);
      for (std::uint8_t& q : block.q) q = static_cast<std::uint8_t>(q + 128 - 16);
      return block;
    case WeightFormat::kQ5_1:
      block.d = HalfAt(at);
      block.e = HalfAt(at + 2) + 128.0F * block.d;
      TakeNibbles(at + 8, block);
      AddFifthBits(at + 4, block);
      return block;
    case WeightFormat::kQ8_0:
      block.d = HalfAt(at);
      for (int i = 0; i < 32; ++i) block.q[i] = static_cast<std::uint8_t>(at[2 + i] ^ 0x80U);
      return block;
    case WeightFormat::kQ4_K:
    case WeightFormat::kQ5_K:
      return SuperBlockGroup(format, at, static_cast<int>(index % 8));
    default: {
      float values[kSuperBlockValues];
      DequantizeRowRef(format, at, layout.values, values);
      return Rounded(values + index * kQuantBlockValues % layout.values);
    }
  }
}

void StoreUnits(float value, float unit, std::uint8_t* to) {
  const auto units = static_cast<std::int16_t>(unit > 0.0F ? std::nearbyint(value / unit) : 0.0F);
  std::memcpy(to, &units, sizeof(units));
}

// The unit of a row's d and e: NaN if one of them isn't finite, so that it is not hidden.
float UnitOf(WeightFormat format, const std::uint8_t* row, std::int64_t blocks) {
  float largest = 0.0F;
  for (std::int64_t b = 0; b < blocks; ++b) {
    const Block block = TakeBlock(format, row, b);
    if (!std::isfinite(block.d) || !std::isfinite(block.e)) return NAN;
    largest = std::fmax(largest, std::fmax(std::fabs(block.d), std::fabs(block.e)));
  }
  return largest / kUnitsMax;
}

// Row `r` of a panel in layout k4.
void PackRow4(WeightFormat format, const std::uint8_t* row, std::int64_t columns, std::int64_t r, std::uint8_t* panel) {
  const std::int64_t blocks = columns / kQuantBlockValues;
  const float unit = UnitOf(format, row, blocks);
  std::memcpy(panel + PackedPanelBytes(PackedLayout::k4, columns) - 4 * kPanelRows + 4 * r, &unit, sizeof(unit));
  for (std::int64_t b = 0; b < blocks; ++b) {
    const Block block = TakeBlock(format, row, b);
    const std::int64_t index = b % kGroupBlocks, first = b - index;
    const std::int64_t count = std::min(kGroupBlocks, blocks - first);
    std::uint8_t* group = panel + first * PackedBlockBytes(PackedLayout::k4);
    std::uint8_t* nibbles = group + index * 256;
    for (int c = 0; c < 16; ++c) {
      nibbles[c / 4 * 64 + r * 4 + c % 4] = static_cast<std::uint8_t>(block.q[c] | block.q[c + 16] << 4);
    }
    std::uint8_t* d = group + count * 256;
    std::uint8_t* e = d + count * 32;
    StoreUnits(block.d, unit, d + index * 32 + r * 2);
    const bool paired = index / 2 * 2 + 1 < count;
    StoreUnits(block.e, unit, e + index / 2 * 64 + (paired ? r * 4 + index % 2 * 2 : r * 2));
  }
}

// Row `r` of a panel in layout k8 or k8Offset.
void PackRow8(WeightFormat format, const std::uint8_t* row, std::int64_t columns, std::int64_t r, PackedLayout layout,
              std::uint8_t* panel) {
  for (std::int64_t b = 0; b < columns / kQuantBlockValues; ++b, panel += PackedBlockBytes(layout)) {
    const Block block = TakeBlock(format, row, b);
    for (int c = 0; c < 32; ++c) panel[c / 4 * 64 + r * 4 + c % 4] = block.q[c];
    std::memcpy(panel + 512 + 4 * r, &block.d, sizeof(float));
    if (layout == PackedLayout::k8Offset) std::memcpy(panel + 512 + 64 + 4 * r, &block.e, sizeof(float));
  }
}

}  // namespace

void PackPanel(WeightFormat format, const std::uint8_t* file, std::int64_t rows_left, std::int64_t columns,
               std::uint8_t* panel) {
  const PackedLayout layout = LayoutOfPacked(format);
  std::memset(panel, 0, static_cast<std::size_t>(PackedPanelBytes(layout, columns)));
  for (std::int64_t r = 0; r < kPanelRows && r < rows_left; ++r, file += RowBytes(format, columns)) {
    layout == PackedLayout::k4 ? PackRow4(format, file, columns, r, panel)
                               : PackRow8(format, file, columns, r, layout, panel);
  }
}

}  // namespace kernels
