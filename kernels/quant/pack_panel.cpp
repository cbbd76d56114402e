#include <cmath>
#include <cstring>

#include "kernels/quant/dequantize.h"
#include "kernels/quant/half.h"
#include "kernels/quant/packed_weights.h"

namespace kernels {
namespace {

// 32 weights of one row: w = d * q + m.
struct Block {
  float d = 0.0F, m = 0.0F;
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
  block.d = HalfAt(super) * scale;
  block.m = -HalfAt(super + 2) * minimum;
  const bool five = format == WeightFormat::kQ5_K;
  const std::uint8_t* fifth = super + 16;
  const std::uint8_t* nibbles = super + (five ? 48 : 16) + g / 2 * 32;
  for (int i = 0; i < 32; ++i) {
    int q = g % 2 == 0 ? nibbles[i] & 0xF : nibbles[i] >> 4;
    if (five) q |= (fifth[i] >> g & 1) << 4;
    block.q[i] = static_cast<std::uint8_t>(q);
  }
  return block;
}

// Rounds 32 plain values to 8 bits around 128.
Block Rounded(const float* values) {
  Block block;
  float largest = 0.0F;
  bool finite = true;
  for (int i = 0; i < 32; ++i) {
    largest = std::fmax(largest, std::fabs(values[i]));
    finite = finite && std::isfinite(values[i]);
  }
  block.d = finite ? largest / 127.0F : NAN;
  block.m = -128.0F * block.d;
  for (int i = 0; i < 32; ++i) {
    const float q = finite && largest > 0.0F ? std::nearbyint(values[i] / block.d) : 0.0F;
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
      block.m = -8.0F * block.d;
      TakeNibbles(at + 2, block);
      return block;
    case WeightFormat::kQ4_1:
      block.d = HalfAt(at);
      block.m = HalfAt(at + 2);
      TakeNibbles(at + 4, block);
      return block;
    case WeightFormat::kQ5_0:
      block.d = HalfAt(at);
      block.m = -16.0F * block.d;
      TakeNibbles(at + 6, block);
      AddFifthBits(at + 2, block);
      return block;
    case WeightFormat::kQ5_1:
      block.d = HalfAt(at);
      block.m = HalfAt(at + 2);
      TakeNibbles(at + 8, block);
      AddFifthBits(at + 4, block);
      return block;
    case WeightFormat::kQ8_0:
      block.d = HalfAt(at);
      block.m = -128.0F * block.d;
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

void StoreScale(PackedScales scales, float value, std::uint8_t* to, std::int64_t index) {
  if (scales == PackedScales::kF16) {
    const std::uint16_t half = FloatToHalf(value);
    std::memcpy(to + 2 * index, &half, sizeof(half));
  } else {
    std::memcpy(to + 4 * index, &value, sizeof(value));
  }
}

}  // namespace

void PackPanel(WeightFormat format, const std::uint8_t* file, std::int64_t rows_left, std::int64_t columns,
               std::uint8_t* panel) {
  const PackedLayout layout = LayoutOfPacked(format);
  const std::int64_t row_bytes = RowBytes(format, columns);
  const std::int64_t value_bytes = layout.bits == PackedBits::k4 ? 256 : 512;
  std::memset(panel, 0, static_cast<std::size_t>(PackedPanelBytes(layout, columns)));
  for (std::int64_t b = 0; b < columns / kQuantBlockValues; ++b, panel += PackedBlockBytes(layout)) {
    for (std::int64_t r = 0; r < kPanelRows && r < rows_left; ++r) {
      const Block block = TakeBlock(format, file + r * row_bytes, b);
      for (int c = 0; c < 32; ++c) {
        if (layout.bits == PackedBits::k4) {
          std::uint8_t& byte = panel[c % 16 / 4 * 64 + r * 4 + c % 4];
          byte = static_cast<std::uint8_t>(byte | (c < 16 ? block.q[c] : block.q[c] << 4));
        } else {
          panel[c / 4 * 64 + r * 4 + c % 4] = block.q[c];
        }
      }
      StoreScale(layout.scales, block.d, panel + value_bytes, r);
      StoreScale(layout.scales, block.m, panel + value_bytes, kPanelRows + r);
    }
  }
}

}  // namespace kernels
