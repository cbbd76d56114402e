#include "kernels/gemm/gemm_gpu.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

#include "kernels/gemm/few_rows_gemm.h"
#include "tests/kernels/gpu/gemm_fixture.h"
#if defined(GPU_EMULATOR)
#include "kernels/primitives/emulator/emulator.h"
#else
#include "kernels/gemm/cublas_lt.h"
#endif

namespace kernels::gpu {
namespace {

TEST_F(GemmTest, AnyNumberOfRowsMatchesDouble) {
  for (const Formats formats : kAllFormats) {
    for (const std::int32_t m : {1, 2, 3, 4, 7, 8, 9, 16, 17, 31, 32, 33, 63, 64, 65, 130}) {
      const auto product = Make(formats, m, 24, 96);
      Check(*product, Run(*product));
    }
  }
}

TEST_F(GemmTest, OddSizesMatchDouble) {
  for (const Formats formats : kAllFormats) {
    for (const auto& [n, k] : {std::pair{8, 32}, {136, 32}, {72, 576}, {8, 1536}, {264, 160}}) {
      for (const std::int32_t m : {1, 5, 12, 20, 40}) {
        const auto product = Make(formats, m, n, k);
        Check(*product, Run(*product));
      }
    }
  }
}

TEST_F(GemmTest, Bf16OutputIsTheRoundedSum) {
  for (const Formats formats : kAllFormats) {
    for (const std::int32_t m : {1, 6, 64, 70}) {
      const auto product = Make(formats, m, 40, 192);
      DeviceArray<Bf16> y(static_cast<std::size_t>(m) * 40);
      ASSERT_LAUNCHED(RunGemm(product->Of(nullptr, y.get()), context_, nullptr));
      Check(*product, ToFloats(y.Read()), 1.0 / 256);
    }
  }
}

TEST_F(GemmTest, AccumulatesIntoRowsWithStride) {
  for (const Formats formats : kAllFormats) {
    for (const std::int32_t m : {1, 3, 20, 66}) {
      const std::int32_t stride = 32;
      const auto product = Make(formats, m, 24, 160, stride, [](auto*, auto*) {});
      const std::vector<float> before = Random(static_cast<std::size_t>(m) * stride);
      DeviceArray<float> y(before);
      ASSERT_LAUNCHED(RunGemm(product->Of(y.get(), nullptr, /*accumulate=*/true), context_, nullptr));
      std::vector<float> added = y.Read();
      for (std::size_t i = 0; i < added.size(); ++i) {
        if (i % stride >= 24) {
          EXPECT_EQ(added[i], before[i]) << "beyond the row, at " << i;
        }
        added[i] -= before[i];
      }
      Check(*product, added, 1e-5);
    }
  }
}

TEST_F(GemmTest, LeavesAloneWhatIsBeyondTheRows) {
  const auto product = Make(Formats::kBf16, 3, 24, 64, 40, [](auto*, auto*) {});
  const std::vector<float> y = Run(*product);
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i % 40 >= 24) << i;
  DeviceArray<Bf16> y_bf16(3 * 40);
  ASSERT_LAUNCHED(RunGemm(product->Of(nullptr, y_bf16.get()), context_, nullptr));
  const std::vector<Bf16> rounded = y_bf16.Read();
  for (std::size_t i = 0; i < rounded.size(); ++i) EXPECT_EQ(rounded[i].bits == 0xFFFF, i % 40 >= 24) << i;
}

// Goal: each way to cut a product is right, with more splits than there are steps too, and leaves the counters zero.
// Method: all of them on one small product; a second run must give the same bits, whichever block arrives last.
TEST_F(GemmTest, EveryCutAndSplitMatchesDouble) {
  for (const Formats formats : kAllFormats) {
    for (const std::int32_t m : {3, 13, 26, 50}) {
      const auto product = Make(formats, m, 72, 416);
      for (std::int32_t variant = 0; variant < kFewRowsVariants; ++variant) {
        for (const std::int32_t splits : {1, 3, 16}) {
          SCOPED_TRACE("variant " + std::to_string(variant) + ", splits " + std::to_string(splits));
          const std::vector<float> y = Run(*product, {variant, splits});
          Check(*product, y);
          if (splits == 3 && formats == Formats::kBf16) {
            EXPECT_EQ(std::memcmp(Run(*product, {variant, splits}).data(), y.data(), y.size() * sizeof(float)), 0);
          }
        }
      }
    }
  }
  CheckCountersAreZero();
}

TEST_F(GemmTest, RowDependsOnNoOther) {
  for (const Formats formats : kAllFormats) {
    for (const auto& [fewer, more] : {std::pair{1, 1}, {3, 4}, {5, 8}, {9, 16}, {18, 32}, {35, 64}}) {
      const auto product = Make(formats, fewer, 40, 320);
      auto with_others = Make(formats, more, 40, 320, 40, [&](std::vector<float>* w, std::vector<float>* x) {
        *w = product->w;
        std::copy(product->x.begin(), product->x.end(), x->begin());
        if (more > fewer) x->back() = std::numeric_limits<float>::quiet_NaN();
      });
      ASSERT_LAUNCHED(
          CopyOnDevice(with_others->w_scales_device.get(), product->w_scales_device.get(), 40 * 4, nullptr));
      ASSERT_LAUNCHED(CopyOnDevice(with_others->x_scales_device.get(), product->x_scales_device.get(),
                                   static_cast<std::size_t>(fewer) * 4, nullptr));
      const std::vector<float> alone = Run(*product), together = Run(*with_others);
      EXPECT_EQ(std::memcmp(alone.data(), together.data(), alone.size() * sizeof(float)), 0) << fewer << " of " << more;
    }
  }
}

TEST_F(GemmTest, NanStaysInItsRowAndColumn) {
  constexpr std::int32_t kN = 48, kK = 96;
  for (const Formats formats : kAllFormats) {
    for (const std::int32_t m : {2, 11, 30, 60, 65}) {
      const auto product = Make(formats, m, kN, kK, kN, [](std::vector<float>* w, std::vector<float>* x) {
        (*w)[7 * kK + 50] = std::numeric_limits<float>::quiet_NaN();
        (*x)[1 * kK + 95] = std::numeric_limits<float>::quiet_NaN();
      });
      const std::vector<float> y = Run(*product);
      for (std::int32_t row = 0; row < m; ++row) {
        for (std::int32_t column = 0; column < kN; ++column) {
          EXPECT_EQ(std::isnan(y[row * kN + column]), row == 1 || column == 7) << row << ", " << column;
        }
      }
    }
  }
}

// Goal: every FP8 number is what it says, as a weight and as x, the smallest too. Method: x picks one weight at a time.
TEST_F(GemmTest, EveryFp8NumberIsExact) {
  constexpr std::int32_t kN = 8, kK = 256;
  for (const Formats formats : {Formats::kFp8, Formats::kFp8WithBf16}) {
    const auto product = Make(formats, kK, kN, kK, kN, [](std::vector<float>* w, std::vector<float>* x) {
      for (std::size_t i = 0; i < w->size(); ++i) {
        const float value = ToFloat(Fp8{static_cast<std::uint8_t>(i % kK)});
        (*w)[i] = std::isnan(value) ? 0.0F : value;
      }
      for (std::size_t i = 0; i < x->size(); ++i) (*x)[i] = i / kK == i % kK ? 1.0F : 0.0F;
    });
    for (std::int32_t first = 0; first < kK; first += kGemmFewRows) {
      DeviceArray<float> y(kGemmFewRows * kN);
      Gemm some = product->Of(y.get(), nullptr);
      some.m = kGemmFewRows;
      if (some.x_fp8 != nullptr) some.x_fp8 += first * kK, some.x_scales += first;
      if (some.x_bf16 != nullptr) some.x_bf16 += first * kK;
      ASSERT_LAUNCHED(RunGemm(some, context_, nullptr));
      const std::vector<float> got = y.Read();
      for (std::int32_t row = 0; row < kGemmFewRows; ++row) {
        const float weight = product->w[first + row], scale = product->x_scales[first + row];
        for (std::int32_t column = 0; column < kN; ++column) {
          EXPECT_EQ(got[row * kN + column], weight * product->w_scales[column] * scale) << first + row;
        }
      }
    }
  }
}

TEST_F(GemmTest, EmptyProductsAreDone) {
  const auto product = Make(Formats::kBf16, 2, 16, 32);
  DeviceArray<float> y(2 * 16);
  Gemm gemm = product->Of(y.get(), nullptr);
  gemm.m = 0;
  ASSERT_LAUNCHED(RunGemm(gemm, context_, nullptr));
  gemm.m = 2, gemm.w.n = 0;
  ASSERT_LAUNCHED(RunGemm(gemm, context_, nullptr));
  for (float value : y.Read()) EXPECT_TRUE(std::isnan(value));
}

TEST_F(GemmTest, RefusesWhatItDoesNotCompute) {
  const auto product = Make(Formats::kBf16, 2, 16, 64);
  const auto fp8 = Make(Formats::kFp8, 2, 16, 64);
  DeviceArray<float> y(3 * 16);
  DeviceArray<Bf16> y_bf16(3 * 16);
  const auto refused = [&](const Product& of, auto change) {
    Gemm gemm = of.Of(y.get(), nullptr);
    change(&gemm);
    EXPECT_REFUSED(RunGemm(gemm, context_, nullptr));
  };
  refused(*product, [](Gemm* gemm) { gemm->w.k = 48; });
  refused(*product, [](Gemm* gemm) { gemm->w.k = 0; });
  refused(*product, [](Gemm* gemm) { gemm->w.n = 12; });
  refused(*product, [](Gemm* gemm) { gemm->w.n = -8; });
  refused(*product, [](Gemm* gemm) { gemm->m = -1; });
  refused(*product, [](Gemm* gemm) { gemm->w.data = nullptr; });
  refused(*product, [](Gemm* gemm) { gemm->w.data = static_cast<const char*>(gemm->w.data) + 2; });
  refused(*product, [](Gemm* gemm) { gemm->x_bf16 += 1; });
  refused(*product, [](Gemm* gemm) { gemm->x_bf16 = nullptr; });
  refused(*product, [](Gemm* gemm) { gemm->y_f32 += 1; });
  refused(*product, [](Gemm* gemm) { gemm->y_f32 = nullptr; });
  refused(*product, [](Gemm* gemm) { gemm->y_stride = 8; });
  refused(*product, [](Gemm* gemm) { gemm->y_stride = 18; });
  refused(*product, [&](Gemm* gemm) { gemm->y_bf16 = y_bf16.get(); });
  refused(*product, [&](Gemm* gemm) { gemm->y_f32 = nullptr, gemm->y_bf16 = y_bf16.get(), gemm->accumulate = true; });
  refused(*product, [&](Gemm* gemm) { gemm->y_f32 = nullptr, gemm->y_bf16 = y_bf16.get(), gemm->y_stride = 20; });
  refused(*product, [&](Gemm* gemm) { gemm->x_bf16 = nullptr, gemm->x_fp8 = fp8->x_fp8.get(); });
  refused(*product, [&](Gemm* gemm) { gemm->w.scales = fp8->w_scales_device.get(); });
  refused(*fp8, [](Gemm* gemm) { gemm->x_scales = nullptr; });
  refused(*fp8, [](Gemm* gemm) { gemm->w.scales = nullptr; });
  refused(*fp8, [](Gemm* gemm) { gemm->x_scales = Misaligned(gemm->x_scales); });
  // More tiles of 16 rows than a grid has blocks in its third dimension.
  refused(*product, [](Gemm* gemm) { gemm->m = 1, gemm->w.n = gemm->y_stride = 16 * 65536; });
  refused(*fp8, [&](Gemm* gemm) { gemm->x_bf16 = product->x_bf16.get(); });
  EXPECT_REFUSED(RunFewRowsGemm(product->Of(y.get(), nullptr), {kFewRowsVariants, 1}, context_, nullptr));
  EXPECT_REFUSED(RunFewRowsGemm(product->Of(y.get(), nullptr), {0, 0}, context_, nullptr));
  EXPECT_REFUSED(RunFewRowsGemm(product->Of(y.get(), nullptr), {0, kFewRowsSplitsMax + 1}, context_, nullptr));
  EXPECT_REFUSED(MakeGemmContext(nullptr, &context_));
  EXPECT_REFUSED(MakeGemmContext(workspace_.get() + 16, &context_));
}

// What the cards' figures say (kernels/RESULTS.md).
TEST_F(GemmTest, ManyRowsAndLongSumsOfLargeBf16MatricesAreTheLibrarys) {
  const Bf16 x_bf16{};
  const Fp8 x_fp8{};
  Bf16 y_bf16{};
  float y_f32{};
  const auto faster = [&](MatrixFormat format, bool fp8_inputs, std::int32_t m, std::int32_t n, std::int32_t k,
                          bool f32_output = false) {
    Gemm gemm{};
    gemm.y_bf16 = f32_output ? nullptr : &y_bf16, gemm.y_f32 = f32_output ? &y_f32 : nullptr;
    gemm.w.format = format, gemm.w.n = n, gemm.w.k = k;
    gemm.x_bf16 = fp8_inputs ? nullptr : &x_bf16, gemm.x_fp8 = fp8_inputs ? &x_fp8 : nullptr;
    gemm.m = m;
    return FasterOnLibrary(gemm);
  };
  EXPECT_FALSE(faster(MatrixFormat::kBf16, false, 16, 28672, 4096));
  EXPECT_TRUE(faster(MatrixFormat::kBf16, false, 17, 28672, 4096));
  EXPECT_TRUE(faster(MatrixFormat::kBf16, false, 1, 4096, 14336)) << "few outputs, each a long sum";
  EXPECT_FALSE(faster(MatrixFormat::kBf16, false, 1, 4096, 14336, /*f32_output=*/true)) << "not measured";
  EXPECT_TRUE(faster(MatrixFormat::kBf16, false, 17, 4096, 14336, /*f32_output=*/true));
  EXPECT_FALSE(faster(MatrixFormat::kBf16, false, 1, 4096, 4096));
  EXPECT_FALSE(faster(MatrixFormat::kBf16, false, 1, 576, 1536)) << "so small that the start of a kernel decides";
  EXPECT_FALSE(faster(MatrixFormat::kFp8, true, 32, 4096, 14336)) << "ours is twice as fast";
  EXPECT_TRUE(faster(MatrixFormat::kFp8, true, 33, 4096, 14336));
  EXPECT_FALSE(faster(MatrixFormat::kFp8, false, 4096, 4096, 4096)) << "the library has no mixed formats";
  EXPECT_FALSE(faster(MatrixFormat::kQ4_0, false, 4096, 4096, 14336)) << "nor the files'";
}

// The plan only has to be one that runs; what it aims at is the cards' number of blocks.
TEST_F(GemmTest, PlansSplitNarrowMatricesAndFitTheWorkspace) {
  const auto plan = [&](std::int32_t m, std::int32_t n, std::int32_t k) {
    const Gemm gemm{.w = {.data = nullptr, .scales = nullptr, .format = MatrixFormat::kBf16, .n = n, .k = k},
                    .x_bf16 = nullptr,
                    .x_fp8 = nullptr,
                    .x_scales = nullptr,
                    .m = m,
                    .y_f32 = nullptr,
                    .y_bf16 = nullptr,
                    .y_stride = n,
                    .accumulate = false};
    return PlanFewRows(gemm, *context_);
  };
  context_->multiprocessors = 132;
  EXPECT_EQ(plan(1, 4096, 4096).splits, 1);
  EXPECT_GT(plan(1, 1024, 4096).splits, 1);
  EXPECT_GT(plan(64, 4096, 4096).splits, 1);
  EXPECT_EQ(plan(64, 128256, 4096).splits, 1);
  EXPECT_EQ(plan(8192, 4096, 4096).splits, 1);
  EXPECT_EQ(plan(1, 64, 32).splits, 1);
}

#if defined(GPU_EMULATOR)
TEST_F(GemmTest, AnyScheduleGivesTheSameBits) {
  const std::uint64_t usual = emulator::ScheduleSeed();
  for (const auto& [m, variant] : {std::pair{2, 0}, {12, 2}, {20, 1}, {40, 1}}) {
    const auto product = Make(Formats::kFp8, m, 72, 576);
    emulator::SetScheduleSeed(0);
    const std::vector<float> first = Run(*product, {variant, 2});
    Check(*product, first);
    for (std::uint64_t seed = 1; seed < 5; ++seed) {
      emulator::SetScheduleSeed(seed);
      const std::vector<float> again = Run(*product, {variant, 2});
      EXPECT_EQ(std::memcmp(again.data(), first.data(), first.size() * sizeof(float)), 0) << "seed " << seed;
    }
  }
  emulator::SetScheduleSeed(usual);
  CheckCountersAreZero();
}
#else
// Sizes of which tails, several waves of blocks and the library's own kernels are made; too much for the emulator.
TEST_F(GemmTest, LargeProductsMatchDouble) {
  for (const Formats formats : kAllFormats) {
    for (const std::int32_t m : {1, 8, 16, 48, 64, 200}) {
      const auto product = Make(formats, m, 1032, 2080);
      Check(*product, Run(*product));
    }
  }
  CheckCountersAreZero();
}

// RunGemm falls back on kernels of our own where the library refuses; what must not be refused is asked for directly.
// FP8 with a scale a row is Hopper's alone, and whether it may be added to an F32 output is the library's choice.
TEST_F(GemmTest, ManyRowsRunOnTheLibraryWhereThereIsOne) {
  if (GemmLibraryMissing(context_) != nullptr) GTEST_SKIP() << GemmLibraryMissing(context_);
  DeviceInfo device;
  ASSERT_LAUNCHED(FindDevice(0, &device));
  for (const Formats formats : {Formats::kBf16, Formats::kFp8}) {
    const auto product = Make(formats, 130, 256, 512);
    const auto run = [&](const Gemm& gemm) {
      return RunCublasLt(context_->library, gemm, context_->scratch, kGemmScratchBytes, nullptr);
    };
    if (formats == Formats::kFp8 && device.capability != 90) continue;
    for (int repeat = 0; repeat < 2; ++repeat) {  // the second finds what the first remembered
      DeviceArray<Bf16> y(130 * 256);
      ASSERT_LAUNCHED(run(product->Of(nullptr, y.get())));
      Check(*product, ToFloats(y.Read()), 1.0 / 128);
    }
    DeviceArray<float> y(std::vector<float>(130 * 256, 0.0F));
    const LaunchResult added = run(product->Of(y.get(), nullptr, /*accumulate=*/true));
    if (formats == Formats::kFp8 && added.code() == LaunchResult::Code::kRefused) continue;
    ASSERT_LAUNCHED(added);
    Check(*product, y.Read(), 1e-3);
  }
  CheckCountersAreZero();
}
#endif

}  // namespace
}  // namespace kernels::gpu
