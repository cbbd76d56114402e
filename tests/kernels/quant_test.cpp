#include <cmath>
#include <cstring>

#include "tests/kernels/kernel_test.h"

namespace kernels {
namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::kF32,  WeightFormat::kF16,  WeightFormat::kBF16, WeightFormat::kQ8_0,
                                     WeightFormat::kQ4_0, WeightFormat::kQ4_1, WeightFormat::kQ5_0, WeightFormat::kQ5_1,
                                     WeightFormat::kQ4_K, WeightFormat::kQ5_K, WeightFormat::kQ6_K};

class DequantizeTest : public KernelTest {};
INSTANTIATE_TEST_SUITE_P(Targets, DequantizeTest, testing::ValuesIn(kCpuTargets), TargetName);

TEST_P(DequantizeTest, EveryFormatEqualsTheReference) {
  for (WeightFormat format : kFormats) {
    std::vector<std::int64_t> lengths = {1, 3, 8, 15, 16, 17, 33, 100};
    if (BlockOf(format).values == kQuantBlockValues) lengths = {32, 64, 96, 576};
    if (BlockOf(format).values == kSuperBlockValues) lengths = {256, 768};
    for (std::int64_t values : lengths) {
      SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format) << " values " << values);
      const std::vector<std::uint8_t> row = RandomRow(format, values);
      std::vector<float> expected(static_cast<std::size_t>(values)), actual(expected.size() + 1, -77.0F);
      DequantizeRowRef(format, row.data(), values, expected.data());
      kernels_->dequantize_row(format, row.data(), values, actual.data());
      for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-6F) << i;
      EXPECT_EQ(actual.back(), -77.0F) << "wrote past the end";
    }
  }
}

// Blocks written by hand from the format's definition, so that the reference itself is checked.
TEST(DequantizeRefTest, HandMadeBlocks) {
  std::uint8_t block[34] = {};
  const std::uint16_t d = FloatToHalf(0.5F), m = FloatToHalf(-2.0F);
  std::memcpy(block, &d, 2);
  std::memcpy(block + 2, &m, 2);
  block[4] = 0xF1;  // value 0 is 1, value 16 is 15
  float out[32];
  DequantizeRowRef(WeightFormat::kQ4_1, block, 32, out);
  EXPECT_EQ(out[0], 0.5F * 1 - 2.0F);
  EXPECT_EQ(out[16], 0.5F * 15 - 2.0F);
  EXPECT_EQ(out[1], -2.0F);

  block[2] = 0x0F;
  DequantizeRowRef(WeightFormat::kQ4_0, block, 32, out);
  EXPECT_EQ(out[0], 0.5F * (15 - 8));
  EXPECT_EQ(out[16], 0.5F * (0 - 8));

  block[2] = 0x80;
  block[33] = 0x7F;
  DequantizeRowRef(WeightFormat::kQ8_0, block, 32, out);
  EXPECT_EQ(out[0], 0.5F * -128);
  EXPECT_EQ(out[31], 0.5F * 127);
}

// Two groups of each super-block: one whose scale lies in a byte of its own and one that is spread over two bytes.
TEST(DequantizeRefTest, HandMadeSuperBlocks) {
  std::uint8_t block[210] = {};
  const std::uint16_t d = FloatToHalf(0.5F), dmin = FloatToHalf(0.25F);
  std::memcpy(block, &d, 2);
  std::memcpy(block + 2, &dmin, 2);
  std::uint8_t* scales = block + 4;
  scales[0] = 0x85;   // scale 0 is 5; upper bits of scale 4: 2
  scales[4] = 0xC7;   // minimum 0 is 7; upper bits of minimum 4: 3
  scales[8] = 0xA9;   // scale 4 is 2 * 16 + 9 = 41; minimum 4 is 3 * 16 + 10 = 58
  block[16] = 0xE3;   // Q4_K: value 0 is 3; in Q5_K fifth bits of values 0 (1), 32 (1), 160, 192, 224
  block[80] = 0x0B;   // Q4_K: the third 32 bytes of nibbles: value 128 is 11
  block[112] = 0x0D;  // Q5_K: likewise: value 128 is 13, its fifth bit is 0
  float out[256];
  DequantizeRowRef(WeightFormat::kQ4_K, block, 256, out);
  EXPECT_EQ(out[0], 0.5F * 5 * 3 - 0.25F * 7);
  EXPECT_EQ(out[1], -0.25F * 7);
  EXPECT_EQ(out[128], 0.5F * 41 * 11 - 0.25F * 58);
  DequantizeRowRef(WeightFormat::kQ5_K, block, 256, out);
  EXPECT_EQ(out[0], 0.5F * 5 * 16 - 0.25F * 7);
  EXPECT_EQ(out[128], 0.5F * 41 * 13 - 0.25F * 58);

  std::memset(block, 0, sizeof(block));
  std::memcpy(block + 208, &d, 2);
  block[192] = 3;          // values 0..15
  block[192 + 14] = 0xFE;  // values 224..239: -2
  block[0] = 0x0C;         // value 0: low 12
  block[128] = 0x02;       // value 0: high 2
  block[64 + 32] = 0x90;   // value 224: low 9
  block[128 + 32] = 0xC0;  // value 224: high 3
  DequantizeRowRef(WeightFormat::kQ6_K, block, 256, out);
  EXPECT_EQ(out[0], 0.5F * 3 * (44 - 32));
  EXPECT_EQ(out[1], 0.5F * 3 * -32);
  EXPECT_EQ(out[224], 0.5F * -2 * (57 - 32));
}

TEST(HalfTest, EveryHalfSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const float value = HalfToFloat(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(HalfToFloat(FloatToHalf(value)))) << bits;
    } else {
      ASSERT_EQ(FloatToHalf(value), bits);
    }
  }
}

TEST(HalfTest, RoundsToNearestEven) {
  EXPECT_EQ(FloatToHalf(1.0F + 0x1p-11F), FloatToHalf(1.0F));              // a tie goes to the even neighbour below
  EXPECT_EQ(FloatToHalf(1.0F + 0x1.8p-10F), FloatToHalf(1.0F + 0x1p-9F));  // and above
  EXPECT_EQ(FloatToHalf(65519.0F), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0F), 0x7c00);
  EXPECT_EQ(FloatToHalf(-1e30F), 0xfc00);
  EXPECT_EQ(FloatToHalf(1e-30F), 0);
}

}  // namespace
}  // namespace kernels
