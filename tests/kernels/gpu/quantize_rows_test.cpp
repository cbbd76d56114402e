#include "kernels/quant/quantize_rows_gpu.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "tests/kernels/gpu/gpu_test.h"

namespace kernels::gpu {
namespace {

struct Output {
  std::vector<Fp8> y;
  std::vector<float> scales;

  double At(std::size_t index, std::int32_t width) const {
    return double{ToFloat(y[index])} * scales[index / static_cast<std::size_t>(width)];
  }
};

class QuantizeRowsTest : public GpuTest {
 protected:
  static Output Run(const std::vector<Bf16>& x, std::int32_t rows, std::int32_t width) {
    DeviceArray<Bf16> input(x);
    DeviceArray<Fp8> y(x.size());
    DeviceArray<float> scales(static_cast<std::size_t>(rows));
    const LaunchResult result = RunQuantizeRows(
        {.x = input.get(), .rows = rows, .width = width, .y = y.get(), .scales = scales.get()}, nullptr);
    EXPECT_TRUE(result.ok()) << result.message();
    return {y.Read(), scales.Read()};
  }
};

// FP8 rounds by 2^-4 of a value or, below 2^-6 of the scale, by 2^-10 of the scale.
TEST_F(QuantizeRowsTest, RoundsEveryWidth) {
  for (const std::int32_t width : {8, 64, 576, 2056, 4096, 4104, 16384, 16392, 32768}) {
    const std::int32_t rows = width <= 4096 ? 5 : 2;
    const std::vector<Bf16> x = ToBf16s(Random(std::size_t(rows) * width, 3.0F));
    const Output output = Run(x, rows, width);
    for (std::int32_t row = 0; row < rows; ++row) {
      const std::size_t first = std::size_t(row) * width;
      double largest = 0;
      for (std::int32_t i = 0; i < width; ++i) largest = std::max<double>(largest, std::abs(ToFloat(x[first + i])));
      ASSERT_NEAR(output.scales[row], largest / 448, largest * 1e-9) << "width " << width << " row " << row;
      for (std::int32_t i = 0; i < width; ++i) {
        const double expected = ToFloat(x[first + i]);
        ASSERT_NEAR(output.At(first + i, width), expected, std::abs(expected) * 0x1.02p-4 + largest / 448 * 0x1.02p-10)
            << "width " << width << " row " << row << " column " << i;
      }
    }
  }
}

TEST_F(QuantizeRowsTest, SameBitsUnderEverySchedule) {
  for (const std::int32_t width : {72, 2056, 4104}) {
    const std::vector<Bf16> x = ToBf16s(Random(std::size_t(3) * width, 3.0F));
    const Output expected = Run(x, 3, width);
    ForEachSchedule([&] {
      const Output output = Run(x, 3, width);
      EXPECT_EQ(output.scales, expected.scales);
      for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(output.y[i].bits, expected.y[i].bits) << i;
    });
  }
}

TEST_F(QuantizeRowsTest, ZerosStayZerosAndNanStaysInItsPlace) {
  const std::int32_t rows = 3, width = 72;
  std::vector<float> values = Random(std::size_t(rows) * width);
  std::fill(values.begin(), values.begin() + width, 0.0F);
  values[width + 9] = std::numeric_limits<float>::quiet_NaN();
  const Output output = Run(ToBf16s(values), rows, width);
  EXPECT_EQ(output.scales[0], 1.0F);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(std::isnan(output.At(i, width)), i == width + 9U) << i;
    if (i < std::size_t(width)) {
      ASSERT_EQ(output.At(i, width), 0.0) << i;
    }
  }
}

TEST_F(QuantizeRowsTest, RefusesWhatItCannotCompute) {
  DeviceArray<Bf16> x(std::size_t{64});
  DeviceArray<Fp8> y(std::size_t{64});
  DeviceArray<float> scales(std::size_t{4});
  const QuantizeFp8Rows good{.x = x.get(), .rows = 1, .width = 32, .y = y.get(), .scales = scales.get()};
  ASSERT_LAUNCHED(RunQuantizeRows(good, nullptr));
  const auto refused = [&](auto change) {
    QuantizeFp8Rows bad = good;
    change(bad);
    EXPECT_REFUSED(RunQuantizeRows(bad, nullptr));
  };
  refused([](QuantizeFp8Rows& rows) { rows.width = 36; });
  refused([](QuantizeFp8Rows& rows) { rows.width = 0; });
  refused([](QuantizeFp8Rows& rows) { rows.width = 32776; });
  refused([](QuantizeFp8Rows& rows) { rows.rows = -1; });
  refused([](QuantizeFp8Rows& rows) { rows.x = nullptr; });
  refused([](QuantizeFp8Rows& rows) { rows.x += 1; });
  refused([](QuantizeFp8Rows& rows) { rows.y = nullptr; });
  refused([](QuantizeFp8Rows& rows) { rows.y += 1; });
  refused([](QuantizeFp8Rows& rows) { rows.scales = nullptr; });
  refused([](QuantizeFp8Rows& rows) { rows.scales = Misaligned(rows.scales); });
  QuantizeFp8Rows empty = good;
  empty.rows = 0;
  EXPECT_TRUE(RunQuantizeRows(empty, nullptr).ok());
}

}  // namespace
}  // namespace kernels::gpu
