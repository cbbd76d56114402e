#include <cmath>
#include <cstring>

#include "tests/kernels/kernel_test.h"

namespace kernels {
namespace {

struct AlignedScratch {
  explicit AlignedScratch(std::int64_t k) : memory(static_cast<std::size_t>(GemmScratchFloats(k)) + 16) {}
  float* get() {
    auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    return memory.data() + (64 - address % 64) % 64 / sizeof(float);
  }
  std::vector<float> memory;
};

class GemmTest : public KernelTest {
 protected:
  std::vector<std::uint8_t> RandomWeights(WeightFormat format, std::int64_t n, std::int64_t k) {
    std::vector<std::uint8_t> weights;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::vector<std::uint8_t> row = RandomRow(format, k);
      weights.insert(weights.end(), row.begin(), row.end());
    }
    return weights;
  }

  void CheckShape(WeightFormat format, std::int64_t m, std::int64_t n, std::int64_t k, bool accumulate) {
    SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format) << " m " << m << " n " << n << " k " << k);
    const std::vector<std::uint8_t> w = RandomWeights(format, n, k);
    const std::int64_t x_stride = k + 3, y_stride = n + 2;
    const std::vector<float> x = Random(m * x_stride);
    std::vector<float> expected = Random(m * y_stride), actual = expected;
    AlignedScratch scratch(k);
    Gemm gemm{w.data(), format, n, k, x.data(), m, x_stride, expected.data(), y_stride, accumulate};
    GemmColumnsRef(gemm, 0, n, scratch.get());
    gemm.y = actual.data();
    // Two ranges, as two threads would take them.
    const std::int64_t cut = std::min(n, kGemmTileRows);
    kernels_->gemm_columns(gemm, 0, cut, scratch.get());
    kernels_->gemm_columns(gemm, cut, n, scratch.get());
    const double tolerance = 2e-6 * std::sqrt(static_cast<double>(k)) * 4;
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(actual[i], expected[i], tolerance) << i;
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, GemmTest, testing::ValuesIn(kCpuTargets), TargetName);

TEST_P(GemmTest, QuantisedFormatsEqualTheReferenceOverOddSizes) {
  for (WeightFormat format :
       {WeightFormat::kQ4_0, WeightFormat::kQ4_1, WeightFormat::kQ5_0, WeightFormat::kQ5_1, WeightFormat::kQ8_0}) {
    for (std::int64_t m : {1, 2, 5, 16, 17, 22, 25}) {
      for (std::int64_t n : {1, 4, 17, 40}) CheckShape(format, m, n, /*k=*/96, /*accumulate=*/m % 2 == 0);
    }
    CheckShape(format, 3, 16, 1600, false);
    CheckShape(format, 19, 9, 1600, true);
  }
}

TEST_P(GemmTest, SuperBlockFormatsEqualTheReferenceAcrossPieces) {
  for (WeightFormat format : {WeightFormat::kQ4_K, WeightFormat::kQ5_K, WeightFormat::kQ6_K}) {
    CheckShape(format, 3, 17, 1024, false);
    CheckShape(format, 19, 9, 256, true);
  }
}

TEST_P(GemmTest, PlainFormatsTakeAnyInnerLength) {
  for (WeightFormat format : {WeightFormat::kF32, WeightFormat::kF16, WeightFormat::kBF16}) {
    for (std::int64_t k : {1, 7, 16, 17, 33, 65}) {
      CheckShape(format, 1, 19, k, false);
      CheckShape(format, 7, 5, k, true);
    }
  }
}

// Goal: a row's result has the same bits alone and in any company; batching rests on it.
TEST_P(GemmTest, RowsDoNotDependOnTheirNeighbours) {
  constexpr std::int64_t kN = 40, kK = 1600, kM = 31;
  const std::vector<std::uint8_t> w = RandomWeights(WeightFormat::kQ4_1, kN, kK);
  const std::vector<float> x = Random(kM * kK);
  AlignedScratch scratch(kK);
  std::vector<float> together(kM * kN), alone(kN);
  Gemm gemm{w.data(), WeightFormat::kQ4_1, kN, kK, x.data(), kM, kK, together.data(), kN, false};
  kernels_->gemm_columns(gemm, 0, kN, scratch.get());
  for (std::int64_t m = 0; m < kM; ++m) {
    gemm.x = x.data() + m * kK;
    gemm.m = 1;
    gemm.y = alone.data();
    kernels_->gemm_columns(gemm, 0, kN, scratch.get());
    EXPECT_EQ(std::memcmp(alone.data(), together.data() + m * kN, kN * sizeof(float)), 0) << "row " << m;
  }
}

}  // namespace
}  // namespace kernels
