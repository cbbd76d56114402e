#include "kernels/primitives/gpu/float_formats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

// Goal: conversions round as the formats' standards say. Method: against a search through all codes in double, which
// knows nothing of bit tricks. (That a card gives the same codes: instructions_test.cpp.)
namespace kernels::gpu {
namespace {

struct Value {
  double value;
  unsigned code;
};

// The value of a code from the definition: sign, exponent field e, mantissa field m.
double Decode(unsigned code, int exponent_bits, int mantissa_bits, int bias) {
  const unsigned mantissa = code & ((1U << mantissa_bits) - 1U);
  const int exponent = static_cast<int>(code >> mantissa_bits & ((1U << exponent_bits) - 1U));
  const double sign = (code >> (exponent_bits + mantissa_bits) & 1U) != 0 ? -1.0 : 1.0;
  const double fraction = static_cast<double>(mantissa) / (1U << mantissa_bits);
  return sign * (exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1.0 + fraction, exponent - bias));
}

// All positive values below `codes`, ascending.
std::vector<Value> PositiveValues(unsigned codes, int exponent_bits, int mantissa_bits, int bias) {
  std::vector<Value> values;
  for (unsigned code = 0; code < codes; ++code)
    values.push_back({Decode(code, exponent_bits, mantissa_bits, bias), code});
  return values;
}

// Code of the nearest value to x >= 0, the even one of two as near; beyond the last it is the last one's.
unsigned Nearest(const std::vector<Value>& values, double x) {
  const auto above =
      std::lower_bound(values.begin(), values.end(), x, [](const Value& v, double y) { return v.value < y; });
  if (above == values.begin()) return above->code;
  if (above == values.end()) return values.back().code;
  const Value below = *(above - 1);
  const double down = x - below.value, up = above->value - x;
  if (down != up) return down < up ? below.code : above->code;
  return below.code % 2 == 0 ? below.code : above->code;
}

// The values where rounding decides: each value of the format, the middle to the next, and the floats on both sides.
std::vector<float> Edges(const std::vector<Value>& values) {
  std::vector<float> edges;
  for (std::size_t i = 0; i + 1 < values.size(); ++i) {
    for (const double at : {values[i].value, (values[i].value + values[i + 1].value) / 2}) {
      const auto edge = static_cast<float>(at);
      edges.insert(edges.end(), {edge, std::nextafterf(edge, -1.0F), std::nextafterf(edge, 1e38F)});
    }
  }
  return edges;
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(FloatFormatsTest, EveryBf16CodeRoundTrips) {
  for (unsigned code = 0; code < 65536; ++code) {
    const Bf16 bf16{static_cast<std::uint16_t>(code)};
    const float wide = ToFloat(bf16);
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(ToFloat(ToBf16(wide)))) << code;
      continue;
    }
    EXPECT_EQ(unsigned{ToBf16(wide).bits}, code);
    if (std::isinf(wide)) continue;
    EXPECT_EQ(double{wide}, Decode(code, 8, 7, 127)) << code;
  }
}

TEST(FloatFormatsTest, Bf16RoundsToTheNearestEven) {
  // The value after the largest stands for infinity: what is nearer to it overflows (IEEE 754, 4.3.1).
  const std::vector<Value> values = PositiveValues(0x7F81, 8, 7, 127);
  std::vector<float> inputs = Edges(values);
  std::mt19937 rng(7);
  for (int i = 0; i < 100'000; ++i) inputs.push_back(BitsToFloat(static_cast<std::uint32_t>(rng())));
  inputs.insert(inputs.end(), {std::numeric_limits<float>::max(), 0x1.FEFFFEp127F, 0x1.FFp127F, kInfinity});
  for (const float x : inputs) {
    if (std::isnan(x)) {
      EXPECT_TRUE(std::isnan(ToFloat(ToBf16(x))));
      continue;
    }
    const unsigned sign = std::signbit(x) ? 0x8000U : 0U;
    EXPECT_EQ(unsigned{ToBf16(x).bits}, sign | Nearest(values, std::fabs(double{x}))) << x;
  }
}

TEST(FloatFormatsTest, PackedBf16KeepsTheOrder) {
  const std::uint32_t packed = PackBf16(1.0F, -2.0F);
  EXPECT_EQ(packed, 0xC0003F80U);
  EXPECT_EQ(LowBf16(packed), 1.0F);
  EXPECT_EQ(HighBf16(packed), -2.0F);
}

TEST(FloatFormatsTest, EveryFp8CodeRoundTrips) {
  for (unsigned code = 0; code < 256; ++code) {
    const float wide = ToFloat(Fp8{static_cast<std::uint8_t>(code)});
    if ((code & 0x7FU) == 0x7FU) {
      EXPECT_TRUE(std::isnan(wide)) << code;
      EXPECT_EQ(ToFp8(wide).bits & 0x7FU, 0x7FU) << code;
      continue;
    }
    EXPECT_EQ(double{wide}, Decode(code, 4, 3, 7)) << code;
    EXPECT_EQ(std::signbit(wide), code >= 0x80U) << code;
    EXPECT_EQ(unsigned{ToFp8(wide).bits}, code);
  }
  EXPECT_EQ(ToFloat(Fp8{0x7E}), kFp8Max);
}

TEST(FloatFormatsTest, Fp8RoundsToTheNearestEvenAndSaturates) {
  const std::vector<Value> values = PositiveValues(0x7F, 4, 3, 7);
  std::vector<float> inputs = Edges(values);
  std::mt19937 rng(8);
  std::uniform_real_distribution<float> exponent(-12.0F, 10.0F);
  for (int i = 0; i < 100'000; ++i) inputs.push_back(std::exp2(exponent(rng)));
  for (int i = 0; i < 100'000; ++i) inputs.push_back(BitsToFloat(static_cast<std::uint32_t>(rng())));
  inputs.insert(inputs.end(), {0.0F, 448.0F, 463.9F, 464.0F, 480.0F, 1e30F, kInfinity, 1e-40F});
  for (const float magnitude : inputs) {
    for (const float x : {magnitude, -magnitude}) {
      if (std::isnan(x)) {
        EXPECT_EQ(ToFp8(x).bits & 0x7FU, 0x7FU);
        continue;
      }
      const unsigned sign = std::signbit(x) ? 0x80U : 0U;
      EXPECT_EQ(unsigned{ToFp8(x).bits}, sign | Nearest(values, std::fabs(double{x}))) << x;
    }
  }
}

}  // namespace
}  // namespace kernels::gpu
