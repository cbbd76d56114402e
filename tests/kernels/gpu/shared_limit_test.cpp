// Goal: products run on cards whose blocks have 99 KB of shared memory, where the usual cuts do not fit, and are cut as
// ever on those that have more.
#include <cstring>

#include "kernels/gemm/quant_gemm.h"
#include "tests/kernels/gpu/gemm_fixture.h"
#include "tests/kernels/gpu/quant_rows.h"

namespace kernels::gpu {
namespace {

constexpr std::int32_t kRowsOfEveryBucket[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 32, 33, 64, 65, 130};

Gemm Shaped(Formats formats, std::int32_t m) {
  static const Fp8 x{};
  Gemm gemm{};
  gemm.w = {nullptr, nullptr, formats == Formats::kBf16 ? MatrixFormat::kBf16 : MatrixFormat::kFp8, 4096, 4096};
  gemm.x_fp8 = formats == Formats::kFp8 ? &x : nullptr;
  gemm.m = m;
  return gemm;
}

TEST_F(GemmTest, CutsOfFewRowsAreTheUsualOnesWhereTheyFit) {
  for (const std::int32_t shared_kib : {163, 227}) {  // compute capability 8.0 and 9.0
    context_->shared_bytes_max = shared_kib << 10;
    for (const Formats formats : kAllFormats) {
      for (const std::int32_t m : kRowsOfEveryBucket) {
        EXPECT_EQ(PlanFewRows(Shaped(formats, m), *context_).variant, m > 4 && m <= 8 ? 1 : 0) << m << " rows";
      }
    }
  }
}

TEST_F(GemmTest, CutOfFewRowsIsOneOfTheBucketWhateverTheCard) {
  context_->shared_bytes_max = 99 << 10;
  for (const Formats formats : kAllFormats) {
    for (const auto& [fewer, more] : {std::pair{5, 8}, {9, 16}, {17, 32}, {33, 64}}) {
      const std::int32_t variant = PlanFewRows(Shaped(formats, fewer), *context_).variant;
      EXPECT_TRUE(FitsFewRows(Shaped(formats, more), *context_, variant)) << more << " rows";
      EXPECT_EQ(PlanFewRows(Shaped(formats, more), *context_).variant, variant) << fewer << " and " << more << " rows";
    }
  }
}

TEST(QuantPlanTest, IsTheSameWhereverTheUsualOneFits) {
  for (const MatrixFormat format : kQuantFormats) {
    for (const std::int32_t n : {576, 4096, 28672}) {
      for (const std::int32_t k : {768, 4096, 14336}) {
        for (const std::int32_t m : kRowsOfEveryBucket) {
          const QuantPlan large = PlanQuantGemm(format, m, n, k, 227 << 10);
          const QuantPlan middle = PlanQuantGemm(format, m, n, k, 163 << 10);
          EXPECT_EQ(large.stages, m == 1 ? 5 : 4);
          EXPECT_EQ(std::memcmp(&large, &middle, sizeof(large)), 0) << n << " x " << k << ", " << m << " rows";
          EXPECT_TRUE(IsPossible(large, format, k, 163 << 10));
          EXPECT_TRUE(IsPossible(PlanQuantGemm(format, m, n, k, 99 << 10), format, k, 99 << 10)) << m << " rows";
        }
      }
    }
  }
}

#if defined(GPU_EMULATOR)
// Its context is made for a card of 99 KB.
class SmallCardGemmTest : public GemmTest {
  SharedMemoryOf small_;
};

TEST_F(SmallCardGemmTest, AnyNumberOfRowsMatchesDouble) {
  for (const Formats formats : kAllFormats) {
    for (const std::int32_t m : kRowsOfEveryBucket) {
      const auto product = Make(formats, m, 72, 416);
      Check(*product, Run(*product));
    }
  }
  CheckCountersAreZero();
}

TEST_F(SmallCardGemmTest, EveryFormatOfAFileMatchesTheFilesReference) {
  constexpr std::int32_t kN = 40, kK = 1280;
  for (const MatrixFormat format : kQuantFormats) {
    const QuantMatrix weights(format, kN, kK, RandomFileRows(format, kN, kK, rng_));
    for (const std::int32_t m : kRowsOfEveryBucket) {
      SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format) << ", " << m << " rows");
      const std::vector<Bf16> x = ToBf16s(Random(static_cast<std::size_t>(m) * kK));
      const DeviceArray<Bf16> device_x(x);
      const DeviceArray<float> device_y(static_cast<std::size_t>(m) * kN);
      Gemm gemm{};
      gemm.w = weights.matrix, gemm.x_bf16 = device_x.get(), gemm.m = m;
      gemm.y_f32 = device_y.get(), gemm.y_stride = kN;
      ASSERT_LAUNCHED(RunGemm(gemm, context_, nullptr));
      const std::vector<float> y = device_y.Read();
      for (std::size_t i = 0; i < y.size(); ++i) {
        double sum = 0, magnitude = 0;
        for (std::size_t j = 0; j < kK; ++j) {
          const double term = double{weights.values[i % kN * kK + j]} * double{ToFloat(x[i / kN * kK + j])};
          sum += term, magnitude += std::abs(term);
        }
        ASSERT_NEAR(y[i], sum, 3e-5 * magnitude + 1e-6) << "row " << i / kN << ", column " << i % kN;
      }
    }
  }
  CheckCountersAreZero();
}

TEST_F(SmallCardGemmTest, RowDependsOnNoOther) {
  for (const Formats formats : kAllFormats) {
    for (const auto& [fewer, more] : {std::pair{5, 8}, {9, 16}, {18, 32}, {35, 64}}) {
      const auto product = Make(formats, fewer, 40, 320);
      const auto together = Make(formats, more, 40, 320, 40, [&](std::vector<float>* w, std::vector<float>* x) {
        *w = product->w;
        std::copy(product->x.begin(), product->x.end(), x->begin());
      });
      ASSERT_LAUNCHED(CopyOnDevice(together->w_scales_device.get(), product->w_scales_device.get(), 40 * 4, nullptr));
      ASSERT_LAUNCHED(CopyOnDevice(together->x_scales_device.get(), product->x_scales_device.get(),
                                   static_cast<std::size_t>(fewer) * 4, nullptr));
      const std::vector<float> a = Run(*product), b = Run(*together);
      EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0) << fewer << " of " << more;
    }
  }
}

// What the card can't hold is told before the launch, and what is missing is said.
TEST_F(GemmTest, TooLittleSharedMemoryForAnyCutIsRefusedInWords) {
  const auto expect_refused = [&](const Gemm& gemm) {
    const LaunchResult result = RunGemm(gemm, context_, nullptr);
    EXPECT_EQ(result.code(), LaunchResult::Code::kRefused);
    EXPECT_NE(std::string(result.message()).find("shared memory"), std::string::npos) << result.message();
  };
  context_->shared_bytes_max = 16 << 10;
  const auto product = Make(Formats::kBf16, 5, 40, 256);
  const DeviceArray<float> y(5 * 40);
  expect_refused(product->Of(y.get(), nullptr));
  const QuantMatrix weights(MatrixFormat::kQ4_K, 40, 256, RandomFileRows(MatrixFormat::kQ4_K, 40, 256, rng_));
  Gemm gemm = product->Of(y.get(), nullptr);
  gemm.w = weights.matrix;
  expect_refused(gemm);
}
#endif

}  // namespace
}  // namespace kernels::gpu
