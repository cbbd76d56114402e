#include "kernels/norm/rms_norm_gpu.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "tests/kernels/gpu/gpu_test.h"

namespace kernels::gpu {
namespace {

constexpr float kEps = 1e-5F;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Input {
  std::vector<float> x, weight;
  std::vector<Bf16> delta;  // empty: none
  std::vector<std::int32_t> row_ids;
  std::int32_t rows, width;
  std::int32_t rows_total() const { return static_cast<std::int32_t>(x.size()) / width; }
};
struct Output {
  std::vector<float> x, y;  // y widened and, if FP8, scaled
  std::vector<float> scales;
  std::vector<std::uint16_t> y_bits;
};

class RmsNormTest : public GpuTest {
 protected:
  Input MakeInput(std::int32_t rows, std::int32_t width, bool delta) {
    Input input{.x = Random(std::size_t(rows) * width),
                .weight = Random(width),
                .delta = {},
                .row_ids = {},
                .rows = rows,
                .width = width};
    if (delta) input.delta = ToBf16s(Random(input.x.size()));
    return input;
  }

  static Output Run(const Input& input, bool fp8, std::optional<RmsNormCut> cut = {}) {
    const std::size_t count = std::size_t(input.rows) * input.width;
    DeviceArray<float> x(input.x), weight(input.weight), scales(input.rows);
    DeviceArray<Bf16> delta(input.delta.empty() ? std::vector<Bf16>(1) : input.delta), y_bf16(count);
    DeviceArray<Fp8> y_fp8(count);
    DeviceArray<std::int32_t> row_ids(input.row_ids.empty() ? std::vector<std::int32_t>(1) : input.row_ids);
    const RmsNorm norm{.x = x.get(),
                       .delta = input.delta.empty() ? nullptr : delta.get(),
                       .weight = weight.get(),
                       .eps = kEps,
                       .rows = input.rows,
                       .width = input.width,
                       .row_ids = input.row_ids.empty() ? nullptr : row_ids.get(),
                       .rows_total = input.rows_total(),
                       .y_bf16 = fp8 ? nullptr : y_bf16.get(),
                       .y_fp8 = fp8 ? y_fp8.get() : nullptr,
                       .y_scales = fp8 ? scales.get() : nullptr};
    const LaunchResult result = cut.has_value() ? RunRmsNorm(norm, *cut, nullptr) : RunRmsNorm(norm, nullptr);
    EXPECT_TRUE(result.ok()) << result.message();
    Output output{.x = x.Read(), .y = {}, .scales = scales.Read(), .y_bits = {}};
    if (fp8) {
      for (const Fp8 value : y_fp8.Read()) {
        output.y.push_back(ToFloat(value) * output.scales[output.y.size() / input.width]);
        output.y_bits.push_back(value.bits);
      }
    } else {
      for (const Bf16 value : y_bf16.Read()) {
        output.y.push_back(ToFloat(value));
        output.y_bits.push_back(value.bits);
      }
    }
    return output;
  }

  // Bounds: BF16 rounds by 2^-9 of a value, FP8 by 2^-4 of it or, below 2^-6 of the scale, by 2^-10 of the scale.
  static void ExpectMatches(const Input& input, const Output& output, bool fp8, const std::string& what) {
    for (std::int32_t row = 0; row < input.rows; ++row) {
      const std::int32_t source = input.row_ids.empty() ? row : input.row_ids[row];
      std::vector<double> sums(input.width);
      double squares = 0, largest = 0;
      for (std::int32_t i = 0; i < input.width; ++i) {
        const std::size_t at = std::size_t(source) * input.width + i;
        const float sum = input.x[at] + (input.delta.empty() ? 0.0F : ToFloat(input.delta[at]));
        ASSERT_EQ(output.x[at], sum) << what << ": x row " << source << " column " << i;
        sums[i] = sum;
        squares += sums[i] * sums[i];
      }
      const double factor = 1.0 / std::sqrt(squares / input.width + double(kEps));
      for (std::int32_t i = 0; i < input.width; ++i)
        largest = std::max(largest, std::abs(sums[i] * factor * input.weight[i]));
      if (fp8) {
        ASSERT_NEAR(output.scales[row], largest / 448, largest * 1e-7) << what;
      }
      for (std::int32_t i = 0; i < input.width; ++i) {
        const double expected = sums[i] * factor * input.weight[i];
        const double bound =
            fp8 ? std::abs(expected) * 0x1.01p-4 + largest / 448 * 0x1.01p-10 : std::abs(expected) * 0x1.01p-8;
        ASSERT_NEAR(output.y[std::size_t(row) * input.width + i], expected, bound)
            << what << ": row " << row << " column " << i;
      }
    }
  }
};

TEST_F(RmsNormTest, MatchesThePlainFormulaForEveryWidth) {
  for (const std::int32_t width : {8, 128, 576, 640, 648, 1024, 1032, 2048, 4096, 5000, 8192, 12288, 16392, 32768}) {
    const std::int32_t rows = width <= 1024 ? 6 : 2;  // 6: the last block of four rows is not full
    for (const bool delta : {false, true}) {
      const Input input = MakeInput(rows, width, delta);
      for (const bool fp8 : {false, true}) {
        const std::string what = "width " + std::to_string(width) + (delta ? " delta" : "") + (fp8 ? " FP8" : " BF16");
        ExpectMatches(input, Run(input, fp8), fp8, what);
      }
    }
  }
}

TEST_F(RmsNormTest, EveryCutMatches) {
  for (const RmsNormCut cut : {RmsNormCut{32, 3}, {128, 1}, {128, 2}, {256, 4}, {512, 1}, {1024, 2}}) {
    const std::int32_t width = cut.team == 32 ? 576 : 2056;
    const Input input = MakeInput(5, width, true);
    for (const bool fp8 : {false, true}) {
      ExpectMatches(input, Run(input, fp8, cut), fp8, "team " + std::to_string(cut.team));
    }
  }
}

TEST_F(RmsNormTest, RowHasTheSameBitsAloneAndInCompany) {
  for (const std::int32_t width : {576, 1536}) {
    const Input together = MakeInput(9, width, true);
    for (const bool fp8 : {false, true}) {
      const Output all = Run(together, fp8);
      for (const std::int32_t row : {0, 5, 8}) {
        const std::size_t begin = std::size_t(row) * width, end = begin + width;
        const Input alone{.x = {together.x.begin() + begin, together.x.begin() + end},
                          .weight = together.weight,
                          .delta = {together.delta.begin() + begin, together.delta.begin() + end},
                          .row_ids = {},
                          .rows = 1,
                          .width = width};
        const Output one = Run(alone, fp8);
        EXPECT_EQ(one.y_bits, std::vector<std::uint16_t>(all.y_bits.begin() + begin, all.y_bits.begin() + end));
        if (fp8) {
          EXPECT_EQ(one.scales[0], all.scales[row]);
        }
      }
    }
  }
}

TEST_F(RmsNormTest, RowIdsPickRowsAndLeaveTheOthersAlone) {
  for (const std::int32_t width : {64, 1088}) {
    Input input = MakeInput(7, width, true);
    input.row_ids = {5, 0, 6};
    input.rows = 3;
    for (const bool fp8 : {false, true}) {
      const Output output = Run(input, fp8);
      ExpectMatches(input, output, fp8, "row ids");
      for (const std::int32_t row : {1, 2, 3, 4}) {
        for (std::int32_t i = 0; i < width; ++i) ASSERT_EQ(output.x[row * width + i], input.x[row * width + i]);
      }
    }
  }
}

TEST_F(RmsNormTest, SameBitsUnderEverySchedule) {
  for (const std::int32_t width : {576, 1088, 4104}) {  // a warp's row, and those of two sizes of blocks
    Input input = MakeInput(5, width, true);
    input.row_ids = {3, 0, 4};
    input.rows = 3;
    for (const bool fp8 : {false, true}) {
      const Output expected = Run(input, fp8);
      ExpectMatches(input, expected, fp8, "in the usual order");
      ForEachSchedule([&] {
        const Output output = Run(input, fp8);
        EXPECT_EQ(output.y_bits, expected.y_bits);
        EXPECT_EQ(output.x, expected.x);
        if (fp8) {
          EXPECT_EQ(output.scales, expected.scales);
        }
      });
    }
  }
}

TEST_F(RmsNormTest, RowIdBeyondTheRowsGivesNaNAndChangesNothingElse) {
  for (const std::int32_t width : {64, 1088, 16392}) {
    for (const bool delta : {false, true}) {
      Input input = MakeInput(4, width, delta);
      const Input known = input;
      input.row_ids = {2, 4, -1, std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min(), 0};
      input.rows = 6;
      for (const bool fp8 : {false, true}) {
        const Output output = Run(input, fp8), usual = Run(known, fp8);
        for (std::int32_t row = 0; row < 6; ++row) {
          for (std::int32_t i = 0; i < width; ++i) {
            const float got = output.y[std::size_t(row) * width + i];
            if (row == 0 || row == 5) {
              ASSERT_EQ(got, usual.y[std::size_t(input.row_ids[row]) * width + i]) << "row " << row;
            } else {
              ASSERT_TRUE(std::isnan(got)) << "row " << row;
            }
          }
        }
        for (std::int32_t row = 0; row < 4; ++row) {
          const Output& expected =
              row == 0 || row == 2 ? usual : Output{.x = input.x, .y = {}, .scales = {}, .y_bits = {}};
          for (std::int32_t i = 0; i < width; ++i) ASSERT_EQ(output.x[row * width + i], expected.x[row * width + i]);
        }
      }
    }
  }
}

TEST_F(RmsNormTest, NanStaysInItsRow) {
  for (const std::int32_t width : {64, 1088}) {
    for (const bool in_delta : {false, true}) {
      Input input = MakeInput(6, width, true);
      const std::size_t at = std::size_t(2) * width + 17;
      if (in_delta) {
        input.delta[at] = ToBf16(kNan);
      } else {
        input.x[at] = kNan;
      }
      for (const bool fp8 : {false, true}) {
        const Output output = Run(input, fp8);
        for (std::size_t i = 0; i < output.y.size(); ++i) {
          ASSERT_EQ(std::isnan(output.y[i]), std::int32_t(i) / width == 2) << i;
        }
      }
    }
  }
}

TEST_F(RmsNormTest, RowOfZerosGivesZerosAndAPositiveScale) {
  Input input = MakeInput(1, 576, false);
  std::fill(input.x.begin(), input.x.end(), 0.0F);
  for (const bool fp8 : {false, true}) {
    const Output output = Run(input, fp8);
    for (const float y : output.y) ASSERT_EQ(y, 0.0F);
    if (fp8) {
      EXPECT_GT(output.scales[0], 0.0F);
    }
  }
}

TEST_F(RmsNormTest, RefusesWhatItCannotCompute) {
  DeviceArray<float> x(std::size_t{64}), weight(std::size_t{64}), scales(std::size_t{4});
  DeviceArray<Bf16> delta(std::size_t{64}), y(std::size_t{64});
  DeviceArray<Fp8> y_fp8(std::size_t{64});
  const RmsNorm good{.x = x.get(),
                     .delta = nullptr,
                     .weight = weight.get(),
                     .eps = kEps,
                     .rows = 1,
                     .width = 32,
                     .row_ids = nullptr,
                     .rows_total = 0,
                     .y_bf16 = y.get(),
                     .y_fp8 = nullptr,
                     .y_scales = nullptr};
  ASSERT_LAUNCHED(RunRmsNorm(good, nullptr));
  const auto refused = [&](auto change) {
    RmsNorm bad = good;
    change(bad);
    EXPECT_REFUSED(RunRmsNorm(bad, nullptr));
  };
  refused([](RmsNorm& norm) { norm.width = 28; });
  refused([](RmsNorm& norm) { norm.width = 0; });
  refused([](RmsNorm& norm) { norm.width = 32776; });
  refused([](RmsNorm& norm) { norm.rows = -1; });
  refused([](RmsNorm& norm) { norm.x += 1; });
  refused([](RmsNorm& norm) { norm.weight = nullptr; });
  refused([](RmsNorm& norm) { norm.y_bf16 += 4; });
  refused([&](RmsNorm& norm) { norm.delta = delta.get() + 4; });
  refused([](RmsNorm& norm) { norm.y_bf16 = nullptr; });
  refused([&](RmsNorm& norm) { norm.y_fp8 = y_fp8.get(), norm.y_scales = scales.get(); });
  refused([&](RmsNorm& norm) { norm.y_bf16 = nullptr, norm.y_fp8 = y_fp8.get(); });
  DeviceArray<std::int32_t> row_ids(std::vector<std::int32_t>{0, 0});
  refused([&](RmsNorm& norm) { norm.row_ids = row_ids.get(); });  // of how many rows?
  refused([&](RmsNorm& norm) { norm.row_ids = Misaligned(row_ids.get()), norm.rows_total = 2; });
  refused([&](RmsNorm& norm) {
    norm.y_bf16 = nullptr, norm.y_fp8 = y_fp8.get(), norm.y_scales = Misaligned(scales.get());
  });
  EXPECT_REFUSED(RunRmsNorm(good, RmsNormCut{.team = 100, .rows_of_team = 1}, nullptr));
  EXPECT_REFUSED(RunRmsNorm(good, RmsNormCut{.team = 32, .rows_of_team = 0}, nullptr));
}

TEST_F(RmsNormTest, NoRowsIsNoWork) {
  DeviceArray<float> x(std::size_t{32}), weight(std::size_t{32});
  DeviceArray<Bf16> y(std::size_t{32});
  ASSERT_LAUNCHED(RunRmsNorm({.x = x.get(),
                              .delta = nullptr,
                              .weight = weight.get(),
                              .eps = kEps,
                              .rows = 0,
                              .width = 32,
                              .row_ids = nullptr,
                              .rows_total = 0,
                              .y_bf16 = y.get(),
                              .y_fp8 = nullptr,
                              .y_scales = nullptr},
                             nullptr));
  for (const Bf16 value : y.Read()) EXPECT_EQ(value.bits, 0xFFFF);
}

}  // namespace
}  // namespace kernels::gpu
