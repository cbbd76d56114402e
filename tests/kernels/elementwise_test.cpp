#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/kernels/kernel_test.h"

namespace kernels {
namespace {

class ElementwiseTest : public KernelTest {};
INSTANTIATE_TEST_SUITE_P(Targets, ElementwiseTest, testing::ValuesIn(kCpuTargets), TargetName);

TEST_P(ElementwiseTest, RmsNormEqualsTheReferenceOverOddWidths) {
  for (std::int64_t width : {1, 3, 16, 17, 576, 577}) {
    const std::vector<float> x = Random(3 * width, 5.0F), weight = Random(width);
    std::vector<float> expected(x.size()), actual = x;
    RmsNormRef(x.data(), weight.data(), 1e-5F, 3, width, expected.data());
    kernels_->rms_norm(actual.data(), weight.data(), 1e-5F, 3, width, actual.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_NEAR(actual[i], expected[i], 1e-5 * std::fabs(expected[i]) + 1e-6) << "width " << width << " at " << i;
    }
  }
}

TEST_P(ElementwiseTest, RmsNormOfZerosIsZero) {
  const std::vector<float> x(32, 0.0F), weight(32, 1.0F);
  std::vector<float> y(32, 1.0F);
  kernels_->rms_norm(x.data(), weight.data(), 1e-5F, 1, 32, y.data());
  EXPECT_EQ(y, x);
}

TEST_P(ElementwiseTest, RopeEqualsTheReferenceAndKeepsLengths) {
  constexpr std::int64_t kHeads = 3, kHeadDim = 64, kPositions = 5000;
  std::vector<float> table(kPositions * 2 * kHeadDim);
  FillRopeTable(kPositions, kHeadDim, 100000.0F, table.data());
  for (std::int64_t position : {0, 1, 17, 4999}) {
    const std::vector<float> x = Random(kHeads * kHeadDim);
    std::vector<float> expected = x, actual = x;
    const float* row = table.data() + position * 2 * kHeadDim;
    RopeRowRef(expected.data(), kHeads, kHeadDim, row);
    kernels_->rope_row(actual.data(), kHeads, kHeadDim, row);
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-5F);
    if (position == 0) {
      EXPECT_EQ(actual, x);
    }
    for (std::size_t i = 0; i < x.size(); i += 2) {
      ASSERT_NEAR(std::hypot(actual[i], actual[i + 1]), std::hypot(x[i], x[i + 1]), 1e-5F);
    }
  }
}

// The angle of pair i at position p is p * base^(-2i / head_dim), counter-clockwise.
TEST(RopeRefTest, TurnsThePairByTheStatedAngle) {
  constexpr std::int64_t kHeadDim = 16;
  std::vector<float> table(3 * 2 * kHeadDim), x(kHeadDim, 0.0F);
  FillRopeTable(3, kHeadDim, 10000.0F, table.data());
  x[4] = 1.0F;  // pair 2
  RopeRowRef(x.data(), 1, kHeadDim, table.data() + 2 * 2 * kHeadDim);
  const double angle = 2.0 * std::pow(10000.0, -4.0 / kHeadDim);
  EXPECT_NEAR(x[4], std::cos(angle), 1e-6);
  EXPECT_NEAR(x[5], std::sin(angle), 1e-6);
}

TEST_P(ElementwiseTest, SwiGluEqualsTheReferenceOverOddCountsAndLargeValues) {
  for (std::int64_t count : {1, 5, 16, 31, 1536}) {
    std::vector<float> gate = Random(count, 20.0F), up = Random(count);
    gate[0] = -1000.0F;
    if (count > 4) gate[4] = 1000.0F;
    std::vector<float> expected(gate.size()), actual = gate;
    SwiGluRef(gate.data(), up.data(), count, expected.data());
    kernels_->swiglu(actual.data(), up.data(), count, actual.data());
    for (std::size_t i = 0; i < gate.size(); ++i) {
      ASSERT_NEAR(actual[i], expected[i], 2e-6 * std::fabs(expected[i]) + 1e-30) << "gate " << gate[i];
    }
  }
}

TEST_P(ElementwiseTest, NotANumberStaysOne) {
  std::vector<float> gate(16, std::numeric_limits<float>::quiet_NaN()), up(16, 1.0F);
  kernels_->swiglu(gate.data(), up.data(), 16, gate.data());
  for (float value : gate) EXPECT_TRUE(std::isnan(value));
}

TEST_P(ElementwiseTest, StoreKvWritesItsSlotAndNothingElse) {
  constexpr std::int64_t kHeads = 2, kBlocks = 4;
  for (KvFormat format : {KvFormat::kF32, KvFormat::kF16, KvFormat::kQ8}) {
    for (std::int64_t block_size : {3, 16, 17}) {
      for (std::int64_t head_dim : {16, 80}) {
        const std::vector<float> k = Random(kHeads * head_dim), v = Random(kHeads * head_dim);
        PagedKv kv{nullptr, nullptr, format, kHeads, block_size, head_dim};
        const auto bytes = static_cast<std::size_t>(kBlocks * kv.BlockBytes());
        std::vector<std::uint8_t> k_expected(bytes, 0xAB), v_expected(bytes, 0xAB), k_actual(k_expected),
            v_actual(v_expected);
        kv.k = k_expected.data();
        kv.v = v_expected.data();
        StoreKvRef(kv, /*block_id=*/2, /*slot=*/2, k.data(), v.data());
        kv.k = k_actual.data();
        kv.v = v_actual.data();
        kernels_->store_kv(kv, 2, 2, k.data(), v.data());
        EXPECT_EQ(k_actual, k_expected);
        EXPECT_EQ(v_actual, v_expected);
        EXPECT_GE(std::count_if(k_actual.begin(), k_actual.end(), [](std::uint8_t byte) { return byte != 0xAB; }),
                  kHeads * head_dim / 2);
      }
    }
  }
}

}  // namespace
}  // namespace kernels
