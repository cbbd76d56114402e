#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/gemm/few_rows_gemm.h"
#include "kernels/gemm/gemm_gpu.h"
#include "tests/kernels/gpu/gpu_test.h"

namespace kernels::gpu {

enum class Formats { kBf16, kFp8, kFp8WithBf16 };  // of the weights, and of x where it differs
constexpr Formats kAllFormats[] = {Formats::kBf16, Formats::kFp8, Formats::kFp8WithBf16};

template <typename To, typename Convert>
std::vector<To> Converted(const std::vector<float>& from, Convert convert) {
  std::vector<To> to;
  for (float value : from) to.push_back(convert(value));
  return to;
}

// One product: random operands as the device sees them, and what it must give, in double.
struct Product {
  std::int32_t m, n, k, y_stride;
  Formats formats;
  std::vector<float> w, x, w_scales, x_scales;  // values of the stored numbers; scales 1 where there are none
  DeviceArray<Bf16> w_bf16, x_bf16;             // [n][k], [m][k]
  DeviceArray<Fp8> w_fp8, x_fp8;
  DeviceArray<float> w_scales_device, x_scales_device;

  Gemm Of(float* y_f32, Bf16* y_bf16, bool accumulate = false) const {
    const bool fp8 = formats != Formats::kBf16, x_is_fp8 = formats == Formats::kFp8;
    return {.w = {.data = fp8 ? static_cast<const void*>(w_fp8.get()) : w_bf16.get(),
                  .scales = fp8 ? w_scales_device.get() : nullptr,
                  .format = fp8 ? MatrixFormat::kFp8 : MatrixFormat::kBf16,
                  .n = n,
                  .k = k},
            .x_bf16 = x_is_fp8 ? nullptr : x_bf16.get(),
            .x_fp8 = x_is_fp8 ? x_fp8.get() : nullptr,
            .x_scales = x_is_fp8 ? x_scales_device.get() : nullptr,
            .m = m,
            .y_f32 = y_f32,
            .y_bf16 = y_bf16,
            .y_stride = y_stride,
            .accumulate = accumulate};
  }

  // The sum, and the sum of magnitudes, by which rounding is judged.
  std::pair<double, double> Expected(std::int32_t row, std::int32_t column) const {
    double sum = 0, magnitude = 0;
    for (std::int32_t i = 0; i < k; ++i) {
      const double term =
          double{x[static_cast<std::size_t>(row) * k + i]} * w[static_cast<std::size_t>(column) * k + i];
      sum += term, magnitude += std::abs(term);
    }
    const double scale = double{w_scales[column]} * x_scales[row];
    return {sum * scale, magnitude * scale};
  }
};

class GemmTest : public GpuTest {
 protected:
  void SetUp() override {
    ASSERT_LAUNCHED(Fill(workspace_.get(), 0, kGemmWorkspaceBytes, nullptr));
    ASSERT_LAUNCHED(MakeGemmContext(workspace_.get(), &context_));
  }
  void TearDown() override { DestroyGemmContext(context_); }

  // `change` may alter the values of w and x before they are stored.
  template <typename Change>
  std::unique_ptr<Product> Make(Formats formats, std::int32_t m, std::int32_t n, std::int32_t k, std::int32_t y_stride,
                                Change change) {
    std::vector<float> w = Random(static_cast<std::size_t>(n) * k), x = Random(static_cast<std::size_t>(m) * k);
    change(&w, &x);
    const auto to_bf16 = [](float value) { return ToBf16(value); };
    const auto to_fp8 = [](float value) { return ToFp8(value); };
    const auto w_bf16 = Converted<Bf16>(w, to_bf16), x_bf16 = Converted<Bf16>(x, to_bf16);
    const auto w_fp8 = Converted<Fp8>(w, to_fp8), x_fp8 = Converted<Fp8>(x, to_fp8);
    std::vector<float> w_scales(n, 1.0F), x_scales(m, 1.0F);
    for (std::size_t i = 0; i < w.size(); ++i)
      w[i] = formats == Formats::kBf16 ? ToFloat(w_bf16[i]) : ToFloat(w_fp8[i]);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = formats == Formats::kFp8 ? ToFloat(x_fp8[i]) : ToFloat(x_bf16[i]);
    if (formats != Formats::kBf16) {
      for (float& scale : w_scales) scale = 0.5F + std::abs(Random(1)[0]);
    }
    if (formats == Formats::kFp8) {
      for (float& scale : x_scales) scale = 0.5F + std::abs(Random(1)[0]);
    }
    return std::unique_ptr<Product>(new Product{m, n, k, y_stride, formats, std::move(w), std::move(x), w_scales,
                                                x_scales, DeviceArray(w_bf16), DeviceArray(x_bf16), DeviceArray(w_fp8),
                                                DeviceArray(x_fp8), DeviceArray(w_scales), DeviceArray(x_scales)});
  }
  std::unique_ptr<Product> Make(Formats formats, std::int32_t m, std::int32_t n, std::int32_t k) {
    return Make(formats, m, n, k, n, [](auto*, auto*) {});
  }

  std::vector<float> Run(const Product& product) {
    DeviceArray<float> y(static_cast<std::size_t>(product.m) * product.y_stride);
    const LaunchResult result = RunGemm(product.Of(y.get(), nullptr), context_, nullptr);
    EXPECT_TRUE(result.ok()) << result.message();
    return y.Read();
  }
  std::vector<float> Run(const Product& product, const FewRowsPlan& plan) {
    DeviceArray<float> y(static_cast<std::size_t>(product.m) * product.y_stride);
    const LaunchResult result = RunFewRowsGemm(product.Of(y.get(), nullptr), plan, context_, nullptr);
    EXPECT_TRUE(result.ok()) << result.message();
    return y.Read();
  }

  // `relative`: of the output's own rounding. Sums in F32 err by a part of the magnitudes that were added; Hopper's FP8
  // instructions, which the library uses, keep about 14 bits of a sum.
  static void Check(const Product& product, const std::vector<float>& y, double relative = 0) {
    const double of_magnitude = product.m > kGemmFp8InputRows && product.formats == Formats::kFp8 ? 2e-4 : 2e-6;
    int wrong = 0;
    for (std::int32_t row = 0; row < product.m && wrong < 3; ++row) {
      for (std::int32_t column = 0; column < product.n && wrong < 3; ++column) {
        const auto [expected, magnitude] = product.Expected(row, column);
        const double got = y[static_cast<std::size_t>(row) * product.y_stride + column];
        const double allowed = of_magnitude * magnitude + relative * std::abs(expected) + 1e-30;
        const bool right = std::abs(got - expected) <= allowed;  // false for NaN
        EXPECT_TRUE(right) << "y[" << row << "][" << column << "] = " << got << ", expected " << expected
                           << " for m, n, k = " << product.m << ", " << product.n << ", " << product.k;
        wrong += right ? 0 : 1;
      }
    }
  }
  void CheckCountersAreZero() {
    const std::vector<std::uint8_t> bytes = workspace_.Read();
    for (std::size_t i = 0; i < kGemmCounters * sizeof(std::uint32_t); ++i) ASSERT_EQ(bytes[i], 0) << "byte " << i;
  }

  DeviceArray<std::uint8_t> workspace_{kGemmWorkspaceBytes};
  GemmContext* context_ = nullptr;
};

}  // namespace kernels::gpu
