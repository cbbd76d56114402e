#include "kernels/gemm/bf16_gemm.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/gemm/packed_gemm.h"
#include "kernels/quant/dequantize.h"
#include "tests/kernels/kernel_test.h"

namespace kernels {
namespace {

struct AlignedWords {
  explicit AlignedWords(std::int64_t bytes) : memory(static_cast<std::size_t>(bytes) + 64) {}
  std::uint16_t* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    return reinterpret_cast<std::uint16_t*>(memory.data() + (64 - address % 64) % 64);
  }
  std::vector<std::uint8_t> memory;
};

class Bf16GemmTest : public KernelTest {
 protected:
  void Pack(WeightFormat format, std::int64_t n, std::int64_t k, std::vector<std::uint8_t>& file,
            std::uint16_t* packed) {
    for (std::int64_t row = 0; row < n; ++row) {
      const std::vector<std::uint8_t> bytes = RandomRow(format, k);
      file.insert(file.end(), bytes.begin(), bytes.end());
    }
    for (std::int64_t panel = 0; panel < PanelsFor(n); ++panel) {
      PackBf16Panel(format, file.data() + panel * kPanelRows * RowBytes(format, k), n - panel * kPanelRows, k,
                    packed + panel * kPanelRows * k);
    }
  }

  static void RunTiles(const Bf16Gemm& gemm, Bf16GemmTileFn* tile_of) {
    for (std::int64_t tile = 0; tile < PackedTiles(gemm.n, gemm.gate != nullptr); ++tile) tile_of(gemm, tile);
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, Bf16GemmTest, testing::ValuesIn(kCpuTargets), TargetName);

TEST_P(Bf16GemmTest, EqualsTheReferenceOverOddSizes) {
  for (const WeightFormat format : {WeightFormat::kF32, WeightFormat::kF16, WeightFormat::kBF16}) {
    for (const std::int64_t m : {1, 3, 4, 13}) {
      for (const std::int64_t n : {1, 16, 17, 40}) {
        for (const std::int64_t k : {2, 34, 96}) {
          for (const bool gated : {false, true}) {
            SCOPED_TRACE(testing::Message() << "m " << m << " n " << n << " k " << k << (gated ? " gated" : ""));
            std::vector<std::uint8_t> file;
            AlignedWords w(PanelsFor(n) * Bf16PanelBytes(k)), gate(PanelsFor(n) * Bf16PanelBytes(k));
            Pack(format, n, k, file, w.data());
            file.clear();
            Pack(format, n, k, file, gate.data());
            const std::vector<float> x = Random(m * k);
            const std::int64_t y_stride = n + 3;
            std::vector<float> expected = Random(m * y_stride), actual = expected;
            Bf16Gemm gemm{.w = w.data(),
                          .gate = gated ? gate.data() : nullptr,
                          .activation = m == 3 ? GateActivation::kGelu : GateActivation::kSilu,
                          .n = n,
                          .columns = k,
                          .x = x.data(),
                          .rows = m,
                          .y = expected.data(),
                          .y_stride = y_stride,
                          .accumulate = !gated && m % 2 == 1};
            RunTiles(gemm, &Bf16GemmTileRef);
            gemm.y = actual.data();
            RunTiles(gemm, kernels_->bf16_gemm_tile);
            for (std::size_t i = 0; i < expected.size(); ++i) {
              ASSERT_NEAR(actual[i], expected[i], 2e-4 + 1e-5 * std::fabs(expected[i])) << i;
            }
          }
        }
      }
    }
  }
}

TEST_P(Bf16GemmTest, RowsDoNotDependOnTheirNeighbours) {
  constexpr std::int64_t kK = 96, kN = 48, kM = 15;
  std::vector<std::uint8_t> file;
  AlignedWords w(PanelsFor(kN) * Bf16PanelBytes(kK));
  Pack(WeightFormat::kF16, kN, kK, file, w.data());
  const std::vector<float> x = Random(kM * kK);
  const auto product = [&](std::int64_t first, std::int64_t rows) {
    std::vector<float> y(static_cast<std::size_t>(rows * kN));
    RunTiles({w.data(), nullptr, GateActivation::kSilu, kN, kK, x.data() + first * kK, rows, y.data(), kN, false},
             kernels_->bf16_gemm_tile);
    return y;
  };
  const std::vector<float> together = product(0, kM);
  for (std::int64_t m = 0; m < kM; ++m) {
    EXPECT_EQ(std::memcmp(product(m, 1).data(), together.data() + m * kN, kN * sizeof(float)), 0) << "row " << m;
  }
}

TEST(PackBf16PanelTest, RoundsToTheNearestTiesToEvenAndKeepsWhatIsNotFinite) {
  const float row[] = {
      1.00390625F, 1.01171875F, -0.0F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(),
      0.1F};
  std::vector<std::uint16_t> panel(6 * kPanelRows);
  PackBf16Panel(WeightFormat::kF32, reinterpret_cast<const std::uint8_t*>(row), 1, 6, panel.data());
  const auto at = [&](std::int64_t k) { return panel[static_cast<std::size_t>((k / 2 * kPanelRows) * 2 + k % 2)]; };
  EXPECT_EQ(at(0), 0x3F80);  // between 1 and 1.0078125: the even one
  EXPECT_EQ(at(1), 0x3F82);
  EXPECT_EQ(at(2), 0x8000);
  EXPECT_EQ(at(3), 0x7F80);
  EXPECT_GT(at(4) & 0x7FFF, 0x7F80);
  EXPECT_EQ(at(5), 0x3DCD);
  EXPECT_EQ(panel[2], 0);  // the rows that fill up the panel
}

}  // namespace
}  // namespace kernels
