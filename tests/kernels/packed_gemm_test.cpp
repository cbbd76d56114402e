#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/quant/packed_weights.h"
#include "tests/kernels/kernel_test.h"

namespace kernels {
namespace {

constexpr WeightFormat kPackable[] = {WeightFormat::kQ8_0, WeightFormat::kQ4_0, WeightFormat::kQ4_1,
                                      WeightFormat::kQ5_0, WeightFormat::kQ5_1, WeightFormat::kQ4_K,
                                      WeightFormat::kQ5_K, WeightFormat::kQ6_K};

// Bytes that start on a cache line.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::int64_t count) : memory_(static_cast<std::size_t>(count) + 64) {
    std::memset(memory_.data(), 0xAB, memory_.size());
  }
  std::uint8_t* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    return memory_.data() + (64 - address % 64) % 64;
  }

 private:
  std::vector<std::uint8_t> memory_;
};

struct RoundedRows {
  RoundedRows(const CpuKernels& kernels, const std::vector<float>& x, std::int64_t rows, std::int64_t columns)
      : values(static_cast<std::size_t>(QuantizedValues(rows, columns))),
        scales(static_cast<std::size_t>(QuantizedScales(rows, columns))),
        view{values.data(), scales.data(), rows, columns} {
    for (std::int64_t row = 0; row < rows; ++row) kernels.quantize_row(x.data() + row * columns, view, row);
  }
  std::vector<std::int8_t> values;
  std::vector<float> scales;
  QuantizedRows view;
};

class PackedGemmTest : public KernelTest {
 protected:
  void Pack(WeightFormat format, std::int64_t n, std::int64_t k, std::vector<std::uint8_t>& file,
            AlignedBytes& packed) {
    for (std::int64_t row = 0; row < n; ++row) {
      const std::vector<std::uint8_t> bytes = RandomRow(format, k);
      file.insert(file.end(), bytes.begin(), bytes.end());
    }
    for (std::int64_t panel = 0; panel < PanelsFor(n); ++panel) {
      PackPanel(format, file.data() + panel * kPanelRows * RowBytes(format, k), n - panel * kPanelRows, k,
                packed.data() + panel * PackedPanelBytes(LayoutOfPacked(format), k));
    }
  }

  void CheckShape(WeightFormat format, std::int64_t m, std::int64_t n, std::int64_t k, bool accumulate) {
    SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format) << " m " << m << " n " << n << " k " << k);
    std::vector<std::uint8_t> file;
    AlignedBytes packed(PanelsFor(n) * PackedPanelBytes(LayoutOfPacked(format), k));
    Pack(format, n, k, file, packed);
    const std::vector<float> x = Random(m * k);
    const RoundedRows rounded(*kernels_, x, m, k);
    const std::int64_t y_stride = n + 3;
    std::vector<float> expected = Random(m * y_stride), actual = expected;
    PackedGemm gemm{packed.data(), LayoutOfPacked(format), n, rounded.view, expected.data(), y_stride, accumulate};
    for (std::int64_t panel = 0; panel < PanelsFor(n); ++panel) PackedGemmPanelRef(gemm, panel);
    gemm.y = actual.data();
    for (std::int64_t panel = 0; panel < PanelsFor(n); ++panel) kernels_->packed_gemm_panel(gemm, panel);
    double largest = 1.0;
    for (float value : expected) largest = std::max(largest, std::fabs(static_cast<double>(value)));
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-5 * largest) << i;
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, PackedGemmTest, testing::ValuesIn(kCpuTargets), TargetName);

TEST_P(PackedGemmTest, EveryFormatEqualsTheReferenceOverOddSizes) {
  for (WeightFormat format : kPackable) {
    const std::int64_t k = BlockOf(format).values == kSuperBlockValues ? 512 : 96;
    for (std::int64_t m : {1, 3, 4, 5, 66}) {
      for (std::int64_t n : {1, 16, 17, 40}) CheckShape(format, m, n, k, m % 2 == 0);
    }
  }
}

// Goal: what is lost by rounding activations to 8 bits stays within what 8 bits can lose, and nothing else is lost.
// Method: against the exact product of the file's weights in double; the error of a sum of k products with errors up to
// scale / 2 each is about scale / 2 * |w| * sqrt(k / 3).
TEST_P(PackedGemmTest, IsTheFilesProductWithinTheRoundingOfItsInputs) {
  constexpr std::int64_t kK = 512, kN = 32, kM = 5;
  for (WeightFormat format : kPackable) {
    std::vector<std::uint8_t> file;
    AlignedBytes packed(PanelsFor(kN) * PackedPanelBytes(LayoutOfPacked(format), kK));
    Pack(format, kN, kK, file, packed);
    const std::vector<float> x = Random(kM * kK);
    const RoundedRows rounded(*kernels_, x, kM, kK);
    std::vector<float> y(kM * kN);
    const PackedGemm gemm{packed.data(), LayoutOfPacked(format), kN, rounded.view, y.data(), kN, false};
    for (std::int64_t panel = 0; panel < PanelsFor(kN); ++panel) kernels_->packed_gemm_panel(gemm, panel);
    std::vector<float> w(kK);
    for (std::int64_t n = 0; n < kN; ++n) {
      DequantizeRowRef(format, file.data() + n * RowBytes(format, kK), kK, w.data());
      double squares = 0.0;
      for (float value : w) squares += static_cast<double>(value) * static_cast<double>(value);
      for (std::int64_t m = 0; m < kM; ++m) {
        double exact = 0.0;
        for (std::int64_t i = 0; i < kK; ++i)
          exact += static_cast<double>(w[static_cast<std::size_t>(i)]) *
                   static_cast<double>(x[static_cast<std::size_t>(m * kK + i)]);
        // |x| reaches about 3.5 in 32 values: scale / 2 = 0.014, uniform; 6 standard deviations.
        const double bound = 6 * 0.028 / std::sqrt(12.0) * std::sqrt(squares) +
                             (format == WeightFormat::kQ6_K ? 0.02 * std::sqrt(squares) : 0);
        ASSERT_NEAR(y[static_cast<std::size_t>(m * kN + n)], exact, bound) << static_cast<int>(format);
      }
    }
  }
}

TEST_P(PackedGemmTest, RowsDoNotDependOnTheirNeighbours) {
  constexpr std::int64_t kK = 576, kN = 48, kM = 67;
  std::vector<std::uint8_t> file;
  AlignedBytes packed(PanelsFor(kN) * PackedPanelBytes(LayoutOfPacked(WeightFormat::kQ4_1), kK));
  Pack(WeightFormat::kQ4_1, kN, kK, file, packed);
  const std::vector<float> x = Random(kM * kK);
  const auto product = [&](std::int64_t first, std::int64_t rows) {
    const std::vector<float> some(x.begin() + first * kK, x.begin() + (first + rows) * kK);
    const RoundedRows rounded(*kernels_, some, rows, kK);
    std::vector<float> y(static_cast<std::size_t>(rows * kN));
    const PackedGemm gemm{packed.data(), LayoutOfPacked(WeightFormat::kQ4_1), kN, rounded.view, y.data(), kN, false};
    for (std::int64_t panel = 0; panel < PanelsFor(kN); ++panel) kernels_->packed_gemm_panel(gemm, panel);
    return y;
  };
  const std::vector<float> together = product(0, kM);
  for (std::int64_t m = 0; m < kM; ++m) {
    EXPECT_EQ(std::memcmp(product(m, 1).data(), together.data() + m * kN, kN * sizeof(float)), 0) << "row " << m;
  }
}

class QuantizeRowTest : public KernelTest {};
INSTANTIATE_TEST_SUITE_P(Targets, QuantizeRowTest, testing::ValuesIn(kCpuTargets), TargetName);

TEST_P(QuantizeRowTest, RoundsToTheNearestOf255Steps) {
  const std::vector<float> x = Random(96);
  const RoundedRows rounded(*kernels_, x, 1, 96);
  for (std::size_t b = 0; b < 3; ++b) {
    int sum = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      const int q = rounded.values[b * 32 + i];
      EXPECT_LE(std::abs(q), 127);
      EXPECT_NEAR(static_cast<float>(q) * rounded.scales[2 * b], x[b * 32 + i], 0.5001F * rounded.scales[2 * b]);
      sum += q;
    }
    EXPECT_FLOAT_EQ(rounded.scales[2 * b + 1], rounded.scales[2 * b] * static_cast<float>(sum));
  }
}

TEST_P(QuantizeRowTest, ZerosStayZerosAndWhatIsNotFiniteIsNotHidden) {
  for (const float value : {0.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> x(32, 0.0F);
    x[7] = value;
    const RoundedRows rounded(*kernels_, x, 1, 32);
    if (value == 0.0F) {
      EXPECT_EQ(rounded.scales[0], 0.0F);
      for (std::int8_t q : rounded.values) EXPECT_EQ(q, 0);
    } else {
      EXPECT_TRUE(std::isnan(rounded.scales[0]));
    }
  }
}

}  // namespace
}  // namespace kernels
