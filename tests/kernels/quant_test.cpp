#include <cmath>
#include <cstring>

#include "tests/kernels/kernel_test.h"

namespace kernels {
namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::kF32,  WeightFormat::kF16,  WeightFormat::kBF16,
                                     WeightFormat::kQ8_0, WeightFormat::kQ4_0, WeightFormat::kQ4_1};

class DequantizeTest : public KernelTest {};
INSTANTIATE_TEST_SUITE_P(Targets, DequantizeTest, testing::ValuesIn(kCpuTargets), TargetName);

TEST_P(DequantizeTest, EveryFormatEqualsTheReference) {
  for (WeightFormat format : kFormats) {
    const bool plain = format == WeightFormat::kF32 || format == WeightFormat::kF16 || format == WeightFormat::kBF16;
    const std::vector<std::int64_t> lengths =
        plain ? std::vector<std::int64_t>{1, 3, 8, 15, 16, 17, 33, 100} : std::vector<std::int64_t>{32, 64, 96, 576};
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
