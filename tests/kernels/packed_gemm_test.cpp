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
      : values(static_cast<std::size_t>(rows * columns)),
        groups(static_cast<std::size_t>(rows * GroupsFor(columns))),
        view{values.data(), groups.data(), rows, columns} {
    for (std::int64_t row = 0; row < rows; ++row) kernels.quantize_row(x.data() + row * columns, view, row);
  }
  std::vector<std::int8_t> values;
  std::vector<QuantizedGroup> groups;
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

  // In two calls a tile, which meet at any row.
  static void RunTiles(const PackedGemm& gemm, PackedGemmTileFn* tile_of) {
    const std::int64_t rows = gemm.x.rows, half = rows / 2;
    for (std::int64_t tile = 0; tile < PackedTiles(gemm.n, gemm.gate != nullptr); ++tile) {
      tile_of(gemm, tile, half, rows);
      if (half > 0) tile_of(gemm, tile, 0, half);
    }
  }

  struct Shape {
    std::int64_t m, n, k;
    bool accumulate = false, gated = false;
    GateActivation activation = GateActivation::kSilu;
  };
  void CheckShape(WeightFormat format, const Shape& shape) {
    const auto [m, n, k, accumulate, gated, activation] = shape;
    SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format) << " m " << m << " n " << n << " k " << k
                                    << (accumulate ? " accumulate" : "") << (gated ? " gated" : ""));
    std::vector<std::uint8_t> file, gate_file;
    AlignedBytes packed(PanelsFor(n) * PackedPanelBytes(LayoutOfPacked(format), k));
    AlignedBytes gate(PanelsFor(n) * PackedPanelBytes(LayoutOfPacked(format), k));
    Pack(format, n, k, file, packed);
    Pack(format, n, k, gate_file, gate);
    const std::vector<float> x = Random(m * k);
    const RoundedRows rounded(*kernels_, x, m, k);
    const std::int64_t y_stride = n + 3;
    std::vector<float> expected = Random(m * y_stride), actual = expected;
    PackedGemm gemm{.w = packed.data(),
                    .gate = gated ? gate.data() : nullptr,
                    .activation = activation,
                    .layout = LayoutOfPacked(format),
                    .n = n,
                    .x = rounded.view,
                    .y = expected.data(),
                    .y_stride = y_stride,
                    .accumulate = accumulate};
    RunTiles(gemm, &PackedGemmTileRef);
    gemm.y = actual.data();
    RunTiles(gemm, kernels_->packed_gemm_tile);
    double largest = 1.0;
    for (float value : expected) largest = std::max(largest, std::fabs(static_cast<double>(value)));
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-5 * largest) << i;
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, PackedGemmTest, testing::ValuesIn(kCpuTargets), TargetName);

TEST_P(PackedGemmTest, EveryFormatEqualsTheReferenceOverOddSizes) {
  for (WeightFormat format : kPackable) {
    const bool super_block = BlockOf(format).values == kSuperBlockValues;
    for (std::int64_t k :
         super_block ? std::vector<std::int64_t>{256, 512} : std::vector<std::int64_t>{32, 64, 96, 160}) {
      for (std::int64_t m : {1, 2, 3, 5, 66}) {
        for (std::int64_t n : {1, 16, 17, 40}) CheckShape(format, {.m = m, .n = n, .k = k, .accumulate = m % 2 == 0});
      }
    }
  }
}

TEST_P(PackedGemmTest, GatedProductEqualsTheReference) {
  for (WeightFormat format : {WeightFormat::kQ4_1, WeightFormat::kQ8_0, WeightFormat::kQ5_1}) {
    for (GateActivation activation : {GateActivation::kSilu, GateActivation::kGelu}) {
      for (std::int64_t n : {1, 16, 40}) {
        CheckShape(format, {.m = 3, .n = n, .k = 96, .gated = true, .activation = activation});
      }
    }
  }
}

// Goal: sums of 4-bit products neither saturate nor overflow, whatever the weights and inputs.
// Method: rows whose scales and offsets all are the largest that their unit allows, in every combination of signs with
// the smallest and the largest nibble, some changing from block to block; inputs that are all as large as they can be.
TEST_P(PackedGemmTest, ExtremesFitTheIntegers) {
  constexpr std::int64_t kK = 288, kN = 32, kM = 4;
  constexpr float kLargest = 2.0F;
  const std::int64_t row_bytes = RowBytes(WeightFormat::kQ4_1, kK);
  std::vector<std::uint8_t> file(static_cast<std::size_t>(kN * row_bytes));
  for (std::int64_t n = 0; n < kN; ++n) {
    for (std::int64_t block = 0; block < kK / 32; ++block) {
      const std::int64_t signs = n < 8 ? n : n + block;
      const float d = signs % 2 == 0 ? kLargest : -kLargest, e = signs / 2 % 2 == 0 ? kLargest : -kLargest;
      const std::uint16_t bits[] = {FloatToHalf(d), FloatToHalf(e - 8.0F * d)};
      std::uint8_t* const at = file.data() + n * row_bytes + block * 20;
      std::memcpy(at, bits, sizeof(bits));
      std::memset(at + 4, signs / 4 % 2 == 0 ? 0x00 : 0xFF, 16);
    }
  }
  AlignedBytes packed(PanelsFor(kN) * PackedPanelBytes(PackedLayout::k4, kK));
  for (std::int64_t panel = 0; panel < PanelsFor(kN); ++panel) {
    PackPanel(WeightFormat::kQ4_1, file.data() + panel * kPanelRows * row_bytes, kN - panel * kPanelRows, kK,
              packed.data() + panel * PackedPanelBytes(PackedLayout::k4, kK));
  }
  std::int16_t units;
  std::memcpy(&units, packed.data() + kGroupBlocks * 256, sizeof(units));
  ASSERT_EQ(static_cast<float>(units), kUnitsMax);
  std::vector<float> x(kM * kK);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = (i / kK == 1 || (i / kK == 2 && i / 32 % 2 == 0)) ? -1.0F : 1.0F;
  for (std::size_t i = 3 * kK; i < x.size(); i += 2) x[i] = -1.0F;
  const RoundedRows rounded(*kernels_, x, kM, kK);
  std::vector<float> expected(kM * kN), actual(kM * kN);
  PackedGemm gemm{
      packed.data(), nullptr, GateActivation::kSilu, PackedLayout::k4, kN, rounded.view, expected.data(), kN, false};
  RunTiles(gemm, &PackedGemmTileRef);
  gemm.y = actual.data();
  RunTiles(gemm, kernels_->packed_gemm_tile);
  EXPECT_FLOAT_EQ(expected[2], kK * (-8 * kLargest - kLargest)) << "the largest sum that there is";
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-6 * kK * 9 * kLargest) << i;
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
    const PackedGemm gemm{
        packed.data(), nullptr, GateActivation::kSilu, LayoutOfPacked(format), kN, rounded.view, y.data(), kN, false};
    RunTiles(gemm, kernels_->packed_gemm_tile);
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
        // |x| reaches about 3.5 in 96 values: scale / 2 = 0.014, uniform; 6 standard deviations.
        const double bound = 6 * 0.028 / std::sqrt(12.0) * std::sqrt(squares) +
                             (format == WeightFormat::kQ6_K ? 0.02 * std::sqrt(squares) : 0);
        ASSERT_NEAR(y[static_cast<std::size_t>(m * kN + n)], exact, bound) << static_cast<int>(format);
      }
    }
  }
}

TEST_P(PackedGemmTest, RowsDoNotDependOnTheirNeighbours) {
  constexpr std::int64_t kN = 48, kM = 67;
  for (WeightFormat format : kPackable) {
    const std::int64_t k = BlockOf(format).values == kSuperBlockValues ? 512 : 576;
    const PackedLayout layout = LayoutOfPacked(format);
    std::vector<std::uint8_t> file;
    AlignedBytes packed(PanelsFor(kN) * PackedPanelBytes(layout, k)), gate(PanelsFor(kN) * PackedPanelBytes(layout, k));
    Pack(format, kN, k, file, packed);
    file.clear();
    Pack(format, kN, k, file, gate);
    const std::vector<float> x = Random(kM * k);
    for (const bool gated : {false, true}) {
      const auto product = [&](std::int64_t first, std::int64_t rows) {
        const std::vector<float> some(x.begin() + first * k, x.begin() + (first + rows) * k);
        const RoundedRows rounded(*kernels_, some, rows, k);
        std::vector<float> y(static_cast<std::size_t>(rows * kN));
        RunTiles({packed.data(), gated ? gate.data() : nullptr, GateActivation::kSilu, layout, kN, rounded.view,
                  y.data(), kN, false},
                 kernels_->packed_gemm_tile);
        return y;
      };
      const std::vector<float> together = product(0, kM);
      for (std::int64_t m = 0; m < kM; ++m) {
        EXPECT_EQ(std::memcmp(product(m, 1).data(), together.data() + m * kN, kN * sizeof(float)), 0)
            << "format " << static_cast<int>(format) << (gated ? " gated" : "") << " row " << m;
      }
    }
  }
}

class QuantizeRowTest : public KernelTest {};
INSTANTIATE_TEST_SUITE_P(Targets, QuantizeRowTest, testing::ValuesIn(kCpuTargets), TargetName);

TEST_P(QuantizeRowTest, RoundsToTheNearestOf255StepsOfItsGroup) {
  constexpr std::int64_t kColumns = 224;  // groups of 96, 96 and 32
  const std::vector<float> x = Random(kColumns);
  const RoundedRows rounded(*kernels_, x, 1, kColumns);
  for (std::size_t b = 0; b < kColumns / 32; ++b) {
    const QuantizedGroup& group = rounded.groups[b / 3];
    int sum = 0;
    for (std::size_t i = b * 32; i < b * 32 + 32; ++i) {
      const int q = rounded.values[i];
      EXPECT_LE(std::abs(q), 127);
      EXPECT_NEAR(static_cast<float>(q) * group.scale, x[i], 0.5001F * group.scale);
      sum += q;
    }
    EXPECT_EQ(group.sums[b % 3], sum);
    EXPECT_EQ(group.start4[b % 3], -8 * sum);
    EXPECT_EQ(group.start8[b % 3], -128 * sum);
    EXPECT_EQ(group.float_sums[b % 3], static_cast<float>(sum));
  }
  EXPECT_EQ(rounded.groups[2].sums[1], 0);
}

TEST_P(QuantizeRowTest, EqualsTheReferenceBitForBit) {
  const std::vector<float> x = Random(5 * 352);
  const RoundedRows actual(*kernels_, x, 5, 352), expected(*CpuKernelsFor(CpuTarget::kReference), x, 5, 352);
  EXPECT_EQ(actual.values, expected.values);
  EXPECT_EQ(std::memcmp(actual.groups.data(), expected.groups.data(), actual.groups.size() * sizeof(QuantizedGroup)),
            0);
}

TEST_P(QuantizeRowTest, ZerosStayZerosAndWhatIsNotFiniteIsNotHidden) {
  for (const float value : {0.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> x(32, 0.0F);
    x[7] = value;
    const RoundedRows rounded(*kernels_, x, 1, 32);
    if (value == 0.0F) {
      EXPECT_EQ(rounded.groups[0].scale, 0.0F);
      for (std::int8_t q : rounded.values) EXPECT_EQ(q, 0);
    } else {
      EXPECT_TRUE(std::isnan(rounded.groups[0].scale));
    }
  }
}

// A gate that is far below zero gives inputs near the smallest number: they may round to zero, never to what is none.
TEST_P(QuantizeRowTest, TheSmallestAndLargestNumbersAreRoundedLikeOthers) {
  using Limits = std::numeric_limits<float>;
  for (const float value : {Limits::denorm_min(), 1e-42F, Limits::min(), 1e-37F, 3e-37F, 1e-36F, 2e-36F, 1e38F}) {
    std::vector<float> x(32, 0.0F);
    x[7] = value;
    x[8] = -value / 2;
    const RoundedRows rounded(*kernels_, x, 1, 32);
    EXPECT_EQ(rounded.values, RoundedRows(*CpuKernelsFor(CpuTarget::kReference), x, 1, 32).values) << value;
    const float scale = rounded.groups[0].scale;
    EXPECT_TRUE(std::isfinite(scale)) << value;
    EXPECT_TRUE(std::isfinite(rounded.groups[0].float_sums[0])) << value;
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(static_cast<float>(rounded.values[i]) * scale, x[i], 0.501F * scale + 1e-36F) << value << " at " << i;
    }
  }
}

}  // namespace
}  // namespace kernels
