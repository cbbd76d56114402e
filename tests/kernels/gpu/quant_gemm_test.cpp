#include "kernels/gemm/quant_gemm.h"

#include <cmath>
#include <cstring>

#include "tests/kernels/gpu/quant_rows.h"

namespace kernels::gpu {
namespace {

class QuantGemmTest : public GpuTest {
 protected:
  static constexpr std::int32_t kPadding = 8;  // columns of y beyond n, which nobody may touch

  std::vector<Bf16> RandomX(std::int32_t m, std::int32_t k) {
    return ToBf16s(Random(static_cast<std::size_t>(m) * static_cast<std::size_t>(k)));
  }
  QuantMatrix RandomMatrix(MatrixFormat format, std::int32_t n, std::int32_t k) {
    return {format, n, k, RandomFileRows(format, n, k, rng_)};
  }

  Gemm Product(const Matrix& w, const DeviceArray<Bf16>& x, std::int32_t m, const DeviceArray<float>& y) {
    return {.w = w,
            .x_bf16 = x.get(),
            .x_fp8 = nullptr,
            .x_scales = nullptr,
            .m = m,
            .y_f32 = y.get(),
            .y_bf16 = nullptr,
            .y_stride = w.n + kPadding,
            .accumulate = false};
  }
  std::vector<float> Run(const Matrix& w, const std::vector<Bf16>& x, std::int32_t m, const QuantPlan* plan = nullptr) {
    const DeviceArray<Bf16> device_x(x);
    const DeviceArray<float> y(static_cast<std::size_t>(m) * static_cast<std::size_t>(w.n + kPadding));
    const Gemm gemm = Product(w, device_x, m, y);
    const LaunchResult result =
        plan == nullptr ? RunQuantGemm(gemm, &context_, nullptr) : RunQuantGemm(gemm, *plan, &context_, nullptr);
    EXPECT_TRUE(result.ok()) << result.message();
    return y.Read();
  }

  // y against sums in double. The tolerance is a fraction of the sum of magnitudes: what F32 sums of so many terms may
  // lose, a hundred times less than a wrong nibble makes.
  void ExpectProduct(const std::vector<float>& y, const QuantMatrix& weights, const std::vector<Bf16>& x,
                     std::int32_t m, float before = 0.0F, double rounding = 0.0) {
    const auto n = static_cast<std::size_t>(weights.matrix.n), k = static_cast<std::size_t>(weights.matrix.k);
    for (std::size_t row = 0; row < static_cast<std::size_t>(m); ++row) {
      for (std::size_t column = 0; column < n; ++column) {
        double sum = static_cast<double>(before), magnitude = 0;
        for (std::size_t i = 0; i < k; ++i) {
          const double term =
              static_cast<double>(weights.values[column * k + i]) * static_cast<double>(ToFloat(x[row * k + i]));
          sum += term;
          magnitude += std::fabs(term);
        }
        const double tolerance = 3e-5 * magnitude + 1e-6 + rounding * std::fabs(sum);
        ASSERT_NEAR(static_cast<double>(y[row * (n + kPadding) + column]), sum, tolerance)
            << "x " << row << ", w " << column;
      }
      for (std::size_t column = n; column < n + kPadding; ++column) {
        ASSERT_TRUE(std::isnan(y[row * (n + kPadding) + column])) << "wrote beyond n";
      }
    }
  }
  void ExpectCountersAtZero() {
    for (std::uint32_t counter : counters_.Read()) ASSERT_EQ(counter, 0U);
  }

  DeviceArray<std::uint32_t> counters_{std::vector<std::uint32_t>(kGemmCounters)};
  DeviceArray<float> scratch_{kGemmScratchBytes / sizeof(float)};
  static constexpr std::int32_t kSharedBytesMax = 227 << 10;
  GemmContext context_{counters_.get(), scratch_.get(), 132, kSharedBytesMax, nullptr, ""};
};

TEST_F(QuantGemmTest, EveryFormatAndNumberOfRowsEqualsTheReference) {
  for (MatrixFormat format : kQuantFormats) {
    const std::int32_t n = 72, k = format == MatrixFormat::kQ4_K ? 512 : 352;
    const QuantMatrix weights = RandomMatrix(format, n, k);
    for (std::int32_t m : {1, 2, 3, 7, 8, 11, 16, 20, 33, 64, 67}) {
      SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format) << " m " << m);
      const std::vector<Bf16> x = RandomX(m, k);
      ExpectProduct(Run(weights.matrix, x, m), weights, x, m);
    }
  }
  ExpectCountersAtZero();
}

TEST_F(QuantGemmTest, SmallAndOddMatrices) {
  for (MatrixFormat format : kQuantFormats) {
    const std::int32_t unit = format == MatrixFormat::kQ4_K ? 256 : 32;
    for (const auto& [n, k] : {std::pair{8, 1}, {24, 3}, {40, 2}, {32, 5}, {264, 1}}) {
      SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format) << " n " << n << " k " << k * unit);
      const QuantMatrix weights = RandomMatrix(format, n, k * unit);
      for (std::int32_t m : {1, 5, 18}) {
        const std::vector<Bf16> x = RandomX(m, k * unit);
        ExpectProduct(Run(weights.matrix, x, m), weights, x, m);
      }
    }
  }
}

TEST_F(QuantGemmTest, EveryPlanEqualsTheReference) {
  for (MatrixFormat format : {MatrixFormat::kQ8_0, MatrixFormat::kQ4_K}) {
    constexpr std::int32_t kN = 72, kK = 1280;
    const QuantMatrix weights = RandomMatrix(format, kN, kK);
    for (std::int32_t m : {1, 8, 64}) {
      const std::vector<Bf16> x = RandomX(m, kK);
      int plans = 0;
      for (std::int32_t row_warps : {1, 2, 4, 8}) {
        for (std::int32_t splits : {1, 3, 5}) {
          const QuantPlan plan{.columns = m, .row_warps = row_warps, .splits = splits, .stages = QuantStages(m)};
          if (!IsPossible(plan, format, kK, kSharedBytesMax)) continue;
          SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format) << " m " << m << " row warps "
                                          << row_warps << " splits " << splits);
          ExpectProduct(Run(weights.matrix, x, m, &plan), weights, x, m);
          ++plans;
        }
      }
      EXPECT_GT(plans, 2);
    }
  }
  ExpectCountersAtZero();
}

TEST_F(QuantGemmTest, AddsToWhatIsThereOrRoundsToBf16) {
  const std::int32_t n = 40, k = 160;
  const QuantMatrix weights = RandomMatrix(MatrixFormat::kQ4_1, n, k);
  for (std::int32_t splits : {1, 2}) {
    const QuantPlan plan{.columns = 4, .row_warps = 8, .splits = splits, .stages = 4};
    const std::vector<Bf16> x = RandomX(3, k);
    const DeviceArray<Bf16> device_x(x);
    std::vector<float> before(3 * (n + kPadding), 2.5F);
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (i % (n + kPadding) >= n) before[i] = NAN;
    }
    const DeviceArray<float> y(before);
    Gemm gemm = Product(weights.matrix, device_x, 3, y);
    gemm.accumulate = true;
    ASSERT_LAUNCHED(RunQuantGemm(gemm, plan, &context_, nullptr));
    ExpectProduct(y.Read(), weights, x, 3, 2.5F);

    const DeviceArray<Bf16> rounded(before.size());
    gemm.accumulate = false;
    gemm.y_f32 = nullptr;
    gemm.y_bf16 = rounded.get();
    ASSERT_LAUNCHED(RunQuantGemm(gemm, plan, &context_, nullptr));
    ExpectProduct(ToFloats(rounded.Read()), weights, x, 3, 0.0F, 1.0 / 256);
  }
}

// Goal: a row's result has the same bits in any company of the same bucket; batching rests on it.
TEST_F(QuantGemmTest, RowsDoNotDependOnTheirNeighbours) {
  for (MatrixFormat format : {MatrixFormat::kQ4_0, MatrixFormat::kQ4_K}) {
    const std::int32_t n = 40, k = 768;
    const QuantMatrix weights = RandomMatrix(format, n, k);
    for (const auto& [fewer, more] : {std::pair{1, 1}, {3, 4}, {5, 8}, {9, 16}, {40, 64}, {65, 80}}) {
      SCOPED_TRACE(testing::Message() << "rows " << fewer << " and " << more);
      const std::vector<Bf16> together = RandomX(more, k);
      std::vector<Bf16> others = RandomX(fewer, k);
      const std::size_t last = static_cast<std::size_t>(fewer - 1);
      std::copy_n(together.begin() + static_cast<std::ptrdiff_t>(last) * k, k,
                  others.begin() + static_cast<std::ptrdiff_t>(last) * k);
      const std::vector<float> a = Run(weights.matrix, together, more), b = Run(weights.matrix, others, fewer);
      const std::size_t at = last * static_cast<std::size_t>(n + kPadding);
      EXPECT_EQ(std::memcmp(a.data() + at, b.data() + at, static_cast<std::size_t>(n) * sizeof(float)), 0);
    }
  }
}

// Splits arrive in another order, warps that share x run ahead of each other, and copies come early or late.
TEST_F(QuantGemmTest, SameBitsUnderEverySchedule) {
  for (MatrixFormat format : kQuantFormats) {
    const std::int32_t n = 72, k = 1280;
    const QuantMatrix weights = RandomMatrix(format, n, k);
    for (const QuantPlan& plan :
         {QuantPlan{1, 8, 2, 5}, {1, 2, 3, 4}, {8, 4, 3, 4}, {16, 8, 1, 4}, {32, 8, 2, 4}, {64, 8, 2, 3}}) {
      SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format) << " columns " << plan.columns);
      const std::vector<Bf16> x = RandomX(plan.columns, k);
      const std::vector<float> expected = Run(weights.matrix, x, plan.columns, &plan);
      ExpectProduct(expected, weights, x, plan.columns);
      ForEachSchedule([&] {
        const std::vector<float> y = Run(weights.matrix, x, plan.columns, &plan);
        EXPECT_EQ(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)), 0);
      });
    }
  }
  ExpectCountersAtZero();
}

// More rows than the workspace has room for run in several launches; here in two.
TEST_F(QuantGemmTest, MoreRowsThanTheWorkspaceHolds) {
  constexpr std::int32_t kN = 8, kK = 256;
  const QuantPlan plan{.columns = 64, .row_warps = 8, .splits = 2, .stages = 4};
  constexpr std::int64_t kChunkBytes = 2LL * 64 * 256 * 4;
  constexpr auto kFirst = static_cast<std::int32_t>(static_cast<std::int64_t>(kGemmScratchBytes) / kChunkBytes * 64);
  constexpr std::int32_t kRows = kFirst + 65;
  const QuantMatrix weights = RandomMatrix(MatrixFormat::kQ4_0, kN, kK);
  const std::vector<Bf16> some = RandomX(7, kK);
  std::vector<Bf16> x;
  for (std::int32_t row = 0; row < kRows; ++row)
    x.insert(x.end(), some.begin() + row % 7 * kK, some.begin() + (row % 7 + 1) * kK);
  const std::vector<float> y = Run(weights.matrix, x, kRows, &plan);
  const std::vector<float> expected = Run(weights.matrix, some, 7);
  for (std::int32_t row = 0; row < kRows; ++row) {
    for (std::int32_t column = 0; column < kN; ++column) {
      const auto at = static_cast<std::size_t>(row * (kN + kPadding) + column);
      ASSERT_NEAR(y[at], expected[static_cast<std::size_t>(row % 7 * (kN + kPadding) + column)], 1e-3F) << row;
    }
  }
  ExpectCountersAtZero();
}

TEST_F(QuantGemmTest, NaNStaysInItsRow) {
  const std::int32_t n = 40, k = 256;
  for (MatrixFormat format : kQuantFormats) {
    SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format));
    std::vector<std::uint8_t> rows = RandomFileRows(format, n, k, rng_);
    const std::size_t row_bytes = static_cast<std::size_t>(RowBytes(NamesakeOf(format), k));
    rows[33 * row_bytes + 1] = 0x7E;  // the scale of the first block of row 33 becomes NaN
    const QuantMatrix weights(format, n, k, rows);
    std::vector<Bf16> x = RandomX(5, k);
    x[3 * static_cast<std::size_t>(k) + 100] = Bf16{0x7FC0};
    const std::vector<float> y = Run(weights.matrix, x, 5);
    for (std::size_t row = 0; row < 5; ++row) {
      for (std::size_t column = 0; column < static_cast<std::size_t>(n); ++column) {
        EXPECT_EQ(std::isnan(y[row * static_cast<std::size_t>(n + kPadding) + column]), row == 3 || column == 33);
      }
    }
  }
}

TEST_F(QuantGemmTest, RefusesWhatItCannotCompute) {
  const QuantMatrix weights = RandomMatrix(MatrixFormat::kQ4_K, 8, 256);
  const DeviceArray<Bf16> x(RandomX(4, 256));
  const DeviceArray<float> y(4 * 16);
  const Gemm good = Product(weights.matrix, x, 4, y);
  const auto expect_refused = [&](const auto& change) {
    Gemm gemm = good;
    change(gemm);
    EXPECT_REFUSED(RunQuantGemm(gemm, &context_, nullptr));
  };
  expect_refused([](Gemm& gemm) { gemm.w.n = 12; });
  expect_refused([](Gemm& gemm) { gemm.w.k = 128; });
  expect_refused([](Gemm& gemm) { gemm.w.scales = nullptr; });
  expect_refused([](Gemm& gemm) { gemm.x_bf16 = nullptr; });
  expect_refused([](Gemm& gemm) { gemm.y_f32 = nullptr; });
  expect_refused([](Gemm& gemm) { gemm.y_stride = 4; });
  expect_refused([](Gemm& gemm) { gemm.w.format = MatrixFormat::kBf16; });
  expect_refused([](Gemm& gemm) { gemm.m = -1; });
  for (const QuantPlan& plan :
       {QuantPlan{8, 8, 1, 4}, {4, 8, 3, 4}, {4, 8, 1, 5}, {4, 8, 1, 3}, {4, 16, 1, 4}, {4, 0, 1, 4}, {4, 8, 0, 4}}) {
    EXPECT_REFUSED(RunQuantGemm(good, plan, &context_, nullptr));
  }
  Gemm none = good;
  none.m = 0;
  EXPECT_TRUE(RunQuantGemm(none, &context_, nullptr).ok());
}

TEST_F(QuantGemmTest, RunGemmLeadsHere) {
  const QuantMatrix weights = RandomMatrix(MatrixFormat::kQ4_1, 24, 96);
  const std::vector<Bf16> x = RandomX(2, 96);
  const DeviceArray<Bf16> device_x(x);
  const DeviceArray<float> y(2 * (24 + kPadding));
  ASSERT_LAUNCHED(RunGemm(Product(weights.matrix, device_x, 2, y), &context_, nullptr));
  ExpectProduct(y.Read(), weights, x, 2);
}

// Every shape has a plan that the kernel can run, in every bucket.
TEST(QuantPlanTest, IsAlwaysPossible) {
  for (MatrixFormat format : kQuantFormats) {
    for (std::int32_t n : {8, 576, 1024, 4096, 6144, 28672, 151936}) {
      for (std::int32_t k : {256, 768, 4096, 14336, 65536}) {
        for (std::int32_t m : {1, 2, 4, 8, 16, 32, 64, 65, 512}) {
          const QuantPlan plan = PlanQuantGemm(format, m, n, k, 227 << 10);
          EXPECT_TRUE(IsPossible(plan, format, k, 227 << 10)) << n << " x " << k << ", " << m << " rows";
          const QuantPlan same = PlanQuantGemm(format, m > 64 ? 4096 : QuantBucket(m), n, k, 227 << 10);
          EXPECT_EQ(plan.row_warps, same.row_warps);
          EXPECT_EQ(plan.splits, same.splits);
        }
      }
    }
  }
}

}  // namespace
}  // namespace kernels::gpu
