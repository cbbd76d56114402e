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
  constexpr std::int64_t kHeads = 3, kPositions = 5000;
  for (RopePairs pairs : {RopePairs::kNeighbours, RopePairs::kHalves}) {
    for (std::int64_t head_dim : {16, 48, 64, 80, 256}) {
      SCOPED_TRACE(testing::Message() << "heads of " << head_dim << ", pairs " << static_cast<int>(pairs));
      std::vector<float> table(static_cast<std::size_t>(kPositions * 2 * head_dim));
      FillRopeTable(kPositions, {.head_dim = head_dim, .freq_base = 100000.0F, .pairs = pairs}, table.data());
      for (std::int64_t position : {0, 1, 17, 4999}) {
        const std::vector<float> x = Random(kHeads * head_dim);
        std::vector<float> expected = x, actual = x;
        const float* row = table.data() + position * 2 * head_dim;
        RopeRowRef(expected.data(), kHeads, head_dim, pairs, row);
        kernels_->rope_row(actual.data(), kHeads, head_dim, pairs, row);
        for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-5F) << "at " << i;
        if (position == 0) {
          EXPECT_EQ(actual, x);
        }
        const auto partner = static_cast<std::size_t>(pairs == RopePairs::kNeighbours ? 1 : head_dim / 2);
        for (std::size_t i = 0; i < x.size(); ++i) {
          if (i % (2 * partner) >= partner) continue;  // the second of its pair
          ASSERT_NEAR(std::hypot(actual[i], actual[i + partner]), std::hypot(x[i], x[i + partner]), 1e-5F);
        }
      }
    }
  }
}

// The angle of pair i at position p is p / position_divisor * base^(-2i / head_dim) / pair_divisors[i],
// counter-clockwise.
TEST(RopeRefTest, TurnsThePairByTheStatedAngle) {
  constexpr std::int64_t kHeadDim = 16;
  std::vector<float> divisors(kHeadDim / 2, 1.0F);
  divisors[2] = 4.0F;
  const struct {
    RopeAngles angles;
    std::size_t a, b;  // of pair 2
    double angle;      // at position 2
  } cases[] = {
      {{kHeadDim, 10000.0F}, 4, 5, 2.0 * std::pow(10000.0, -4.0 / kHeadDim)},
      {{kHeadDim, 10000.0F, RopePairs::kHalves}, 2, 10, 2.0 * std::pow(10000.0, -4.0 / kHeadDim)},
      {{kHeadDim, 10000.0F, RopePairs::kHalves, 8.0F}, 2, 10, 2.0 / 8.0 * std::pow(10000.0, -4.0 / kHeadDim)},
      {{kHeadDim, 500.0F, RopePairs::kNeighbours, 1.0F, divisors.data()}, 4, 5, 0.5 * std::pow(500.0, -4.0 / kHeadDim)},
  };
  for (const auto& c : cases) {
    std::vector<float> table(3 * 2 * kHeadDim), x(kHeadDim, 0.0F);
    FillRopeTable(3, c.angles, table.data());
    x[c.a] = 1.0F;
    RopeRowRef(x.data(), 1, kHeadDim, c.angles.pairs, table.data() + 2 * 2 * kHeadDim);
    EXPECT_NEAR(x[c.a], std::cos(c.angle), 1e-6);
    EXPECT_NEAR(x[c.b], std::sin(c.angle), 1e-6);
  }
}

TEST_P(ElementwiseTest, GatedUnitsEqualTheReferencesOverOddCountsAndLargeValues) {
  const struct {
    GatedUnitFn *reference, *kernel;
    double relative;  // the cubic argument of gelu costs its small values some bits
  } units[] = {{&SwiGluRef, kernels_->swiglu, 2e-6}, {&GeGluRef, kernels_->geglu, 2e-5}};
  for (const auto& unit : units) {
    for (std::int64_t count : {1, 5, 16, 31, 1536}) {
      std::vector<float> gate = Random(count, 20.0F), up = Random(count);
      gate[0] = -1000.0F;
      if (count > 4) gate[4] = 1000.0F;
      std::vector<float> expected(gate.size()), actual = gate;
      unit.reference(gate.data(), up.data(), count, expected.data());
      unit.kernel(actual.data(), up.data(), count, actual.data());
      for (std::size_t i = 0; i < gate.size(); ++i) {
        ASSERT_NEAR(actual[i], expected[i], unit.relative * std::fabs(expected[i]) + 1e-13) << "gate " << gate[i];
      }
    }
  }
}

// Values of torch.nn.functional.gelu(x, approximate="tanh").
TEST(GatedUnitRefTest, GeluIsThePublishedOne) {
  const std::vector<float> gate = {-3.0F, -1.0F, -0.1F, 0.0F, 0.5F, 2.0F}, ones(6, 1.0F);
  const std::vector<float> expected = {-0.0036373920F, -0.1588080094F, -0.0460172490F,
                                       0.0F,           0.3457140082F,  1.9545976894F};
  std::vector<float> actual(6);
  GeGluRef(gate.data(), ones.data(), 6, actual.data());
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(actual[i], expected[i], 1e-6);
}

TEST_P(ElementwiseTest, NotANumberStaysOne) {
  for (GatedUnitFn* unit : {kernels_->swiglu, kernels_->geglu}) {
    std::vector<float> gate(16, std::numeric_limits<float>::quiet_NaN()), up(16, 1.0F);
    unit(gate.data(), up.data(), 16, gate.data());
    for (float value : gate) EXPECT_TRUE(std::isnan(value));
  }
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
