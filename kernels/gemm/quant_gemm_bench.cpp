#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "kernels/gemm/gemm_context.h"
#include "kernels/gemm/quant_gemm.h"
#include "kernels/primitives/gpu/bench.h"
#include "kernels/quant/quant_layout.h"

namespace kernels::gpu {
namespace {

struct Format {
  MatrixFormat format;
  const char* name;
};
constexpr Format kFormats[] = {{MatrixFormat::kQ4_0, "Q4_0"},
                               {MatrixFormat::kQ4_1, "Q4_1"},
                               {MatrixFormat::kQ4_K, "Q4_K"},
                               {MatrixFormat::kQ8_0, "Q8_0"}};
constexpr std::int32_t kRowsMax = 512;

// The matrices of an 8B Llama: query, key and value together; attention's output; gate and up together; down.
struct Shape {
  std::int32_t n, k;
};
constexpr Shape kShapes[] = {{4096, 4096}, {6144, 4096}, {28672, 4096}, {4096, 14336}};

// Matrices of one shape in turn, together several times the L2 cache.
class Products {
 public:
  Products(Bench& bench, const Format& format, const Shape& shape) : bench_(bench), format_(format), shape_(shape) {
    const std::int64_t data_bytes = QuantDataBytes(format.format, shape.n, shape.k);
    const std::int64_t scale_bytes = QuantScaleBytes(format.format, shape.n, shape.k);
    matrix_bytes_ = static_cast<double>(data_bytes + scale_bytes);
    const double wanted = 4.0 * static_cast<double>(bench.device().l2_bytes);
    const int matrices = std::clamp(static_cast<int>(wanted / matrix_bytes_) + 1, 2, kCalls);
    for (int i = 0; i < matrices; ++i) {
      // Bits of small BF16 numbers are finite half precision numbers too.
      matrices_.push_back({.data = bench.RandomBytes(data_bytes),
                           .scales = bench.RandomBf16(scale_bytes / 2, 0.05F),
                           .format = format.format,
                           .n = shape.n,
                           .k = shape.k});
    }
    x_ = static_cast<Bf16*>(bench.RandomBf16(std::int64_t{kRowsMax} * shape.k));
    y_ = static_cast<float*>(bench.Zeros(std::int64_t{kRowsMax} * shape.n * 4));
    auto* counters = static_cast<std::uint32_t*>(bench.Zeros(kGemmWorkspaceBytes));
    context_ = {.counters = counters,
                .scratch = reinterpret_cast<float*>(counters + kGemmCounters),
                .multiprocessors = bench.device().multiprocessors,
                .shared_bytes_max = bench.device().shared_bytes_max,
                .library = nullptr,
                .library_missing = ""};
  }

  void Time(std::int32_t m, const QuantPlan& plan, bool is_default) {
    const double seconds = bench_.Time(
        [&](int i) {
          const Gemm gemm{.w = matrices_[static_cast<std::size_t>(i) % matrices_.size()],
                          .x_bf16 = x_,
                          .x_fp8 = nullptr,
                          .x_scales = nullptr,
                          .m = m,
                          .y_f32 = y_,
                          .y_bf16 = nullptr,
                          .y_stride = shape_.n,
                          .accumulate = false};
          return RunQuantGemm(gemm, plan, &context_, bench_.stream());
        },
        kCalls);
    std::string op = std::string("quant_gemm ") + format_.name;
    if (!is_default) op += " rw=" + std::to_string(plan.row_warps) + " s=" + std::to_string(plan.splits);
    const std::string text = std::to_string(m) + " x " + std::to_string(shape_.n) + " x " + std::to_string(shape_.k);
    const double bytes = matrix_bytes_;  // of packed weights: what bounds up to 16 rows
    bench_.Row(op, text, seconds, bytes, 2.0 * m * shape_.n * shape_.k);
  }

  void TimeDefault(std::int32_t m) {
    Time(m, PlanQuantGemm(format_.format, m, shape_.n, shape_.k, context_.shared_bytes_max), true);
  }

  // Other cuts, so that one run on a card tells whether the choice among them is right.
  void TimeOthers(std::int32_t m) {
    for (const std::int32_t row_warps : {1, 2, 4, 8}) {
      for (const std::int32_t splits : {1, 2, 4, 8}) {
        const std::int32_t columns = QuantBucket(m);
        const QuantPlan plan{
            .columns = columns, .row_warps = row_warps, .splits = splits, .stages = QuantStages(columns)};
        const std::int64_t blocks = (CellsOf(shape_.n) + row_warps - 1) / row_warps * splits;
        const bool runs = IsPossible(plan, format_.format, shape_.k, context_.shared_bytes_max);
        if (!runs || blocks < 60 || blocks > 1000) continue;
        Time(m, plan, false);
      }
    }
  }

 private:
  static constexpr int kCalls = 20;

  Bench& bench_;
  Format format_;
  Shape shape_;
  double matrix_bytes_ = 0;
  std::vector<Matrix> matrices_;
  Bf16* x_ = nullptr;
  float* y_ = nullptr;
  GemmContext context_{};
};

}  // namespace

void BenchQuantGemm(Bench& bench) {
  const std::vector<std::int32_t> rows =
      bench.quick() ? std::vector<std::int32_t>{1, 16} : std::vector<std::int32_t>{1, 4, 8, 16, 64, kRowsMax};
  for (const Format& format : kFormats) {
    for (const Shape& shape : kShapes) {
      Products products(bench, format, shape);
      for (const std::int32_t m : rows) products.TimeDefault(m);
      const bool is_example = format.format == MatrixFormat::kQ4_K;
      if (is_example && !bench.quick()) {
        for (const std::int32_t m : {1, 8, 16, 64}) products.TimeOthers(m);
      }
      bench.FreeAll();
    }
  }
}

}  // namespace kernels::gpu
