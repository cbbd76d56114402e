#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "kernels/gemm/few_rows_gemm.h"
#include "kernels/gemm/gemm_context.h"
#include "kernels/gemm/gemm_gpu.h"
#include "kernels/primitives/gpu/bench.h"
#if !defined(GPU_EMULATOR)
#include "kernels/gemm/cublas_lt.h"
#endif

namespace kernels::gpu {
namespace {

struct Shape {
  std::int32_t n, k;
};
// Projections of a Llama of 8 billion weights, and its output matrix, whose logits are F32.
constexpr Shape kProjections[] = {{6144, 4096}, {4096, 4096}, {28672, 4096}, {4096, 14336}};
constexpr Shape kOutputMatrix = {128256, 4096};
constexpr std::int32_t kRowsMany = 8192;

class GemmBench {
 public:
  explicit GemmBench(Bench& bench) : bench_(bench) {
    pool_ = static_cast<const std::uint8_t*>(bench.RandomBf16(kPoolBytes / 2));
    x_ = bench.RandomBf16(std::int64_t{kRowsMany} * 14336);
    scales_ = static_cast<const float*>(bench.RandomFloats(kOutputMatrix.n));
    y_ = bench.Zeros(std::int64_t{kRowsMany} * 28672 * 2);
    const LaunchResult made = MakeGemmContext(bench.Zeros(kGemmWorkspaceBytes), &context_);
    if (!made.ok()) std::printf("gemm: %s\n", made.message());
    if (made.ok() && GemmLibraryMissing(context_) != nullptr) {
      std::printf("gemm without cuBLASLt: %s\n", GemmLibraryMissing(context_));
    }
  }
  ~GemmBench() { DestroyGemmContext(context_); }
  GemmBench(const GemmBench&) = delete;
  GemmBench& operator=(const GemmBench&) = delete;

  bool ready() const { return context_ != nullptr; }

  // Rows of the launcher as it is used, the library's first choice beside it.
  void Time(MatrixFormat format, const Shape& shape, std::int32_t m) {
    const int calls = CallsOf(shape, m);
    const double seconds =
        bench_.Time([&](int i) { return RunGemm(ProductOf(format, shape, m, i), context_, bench_.stream()); }, calls);
    const double peer = TimePeer([&](int call) { return ProductOf(format, shape, m, call); }, calls);
    Row(std::string("gemm ") + Name(format), format, shape, m, seconds, peer);
  }

  // The same where the product is added to the residual in F32, as a layer's two last ones are.
  void TimeAdded(const Shape& shape, std::int32_t m) {
    const auto product = [&](int call) {
      Gemm gemm = ProductOf(MatrixFormat::kBf16, shape, m, call);
      gemm.y_f32 = static_cast<float*>(y_), gemm.y_bf16 = nullptr, gemm.accumulate = true;
      return gemm;
    };
    const double seconds = bench_.Time([&](int i) { return RunGemm(product(i), context_, bench_.stream()); });
    Row("gemm bf16 added", MatrixFormat::kBf16, shape, m, seconds, TimePeer(product, kCallsOfFewRows));
  }

  // All ways to cut a product of few rows; those that differ from the default, each in a row of its own.
  void TimeCuts(MatrixFormat format, const Shape& shape, std::int32_t m) {
    const FewRowsPlan usual = PlanFewRows(ProductOf(format, shape, m, 0), *context_);
    for (std::int32_t variant = 0; variant < kFewRowsVariants; ++variant) {
      if (!FitsFewRows(ProductOf(format, shape, m, 0), *context_, variant))
        continue;  // cards with little shared memory
      const std::int32_t splits = SplitsOfFewRows(ProductOf(format, shape, m, 0), *context_, variant);
      std::vector<std::int32_t> all = {splits, 2 * splits};
      if (splits > 1) all.push_back((splits + 1) / 2);
      for (const std::int32_t each : all) {
        if (each > kFewRowsSplitsMax || (variant == usual.variant && each == usual.splits)) continue;
        const double seconds = bench_.Time([&](int i) {
          return RunFewRowsGemm(ProductOf(format, shape, m, i), {variant, each}, context_, bench_.stream());
        });
        Row("gemm " + std::string(Name(format)) + " v" + std::to_string(variant) + " splits=" + std::to_string(each),
            format, shape, m, seconds, 0);
      }
    }
  }

  // Any number of rows where there is no library.
  void TimeWithoutLibrary(MatrixFormat format, const Shape& shape, std::int32_t m) {
    const auto run = [&](int i) {
      const Gemm gemm = ProductOf(format, shape, m, i);
      return RunFewRowsGemm(gemm, PlanFewRows(gemm, *context_), context_, bench_.stream());
    };
    Row(std::string("gemm ") + Name(format) + " no library", format, shape, m, bench_.Time(run, 3), 0);
  }

 private:
  // Calls walk through the pool, so that no weights are in the L2 cache when they are read: 20 of the smallest matrix
  // are 340 MB.
  static constexpr std::int64_t kPoolBytes = std::int64_t{2} << 30;

  static const char* Name(MatrixFormat format) { return format == MatrixFormat::kFp8 ? "fp8" : "bf16"; }
  static std::int64_t BytesOf(MatrixFormat format, const Shape& shape) {
    return std::int64_t{shape.n} * shape.k * (format == MatrixFormat::kFp8 ? 1 : 2);
  }
  static constexpr int kCallsOfFewRows = 20;
  static int CallsOf(const Shape& shape, std::int32_t m) {
    return m > kGemmFewRows ? 4 : shape.n == kOutputMatrix.n ? 6 : kCallsOfFewRows;
  }

  Gemm ProductOf(MatrixFormat format, const Shape& shape, std::int32_t m, int call) const {
    const bool fp8 = format == MatrixFormat::kFp8, f32 = shape.n == kOutputMatrix.n;
    const std::int64_t bytes = BytesOf(format, shape);
    return {.w = {.data = pool_ + call % (kPoolBytes / bytes) * bytes,
                  .scales = fp8 ? scales_ : nullptr,
                  .format = format,
                  .n = shape.n,
                  .k = shape.k},
            .x_bf16 = fp8 ? nullptr : static_cast<const Bf16*>(x_),
            .x_fp8 = fp8 ? static_cast<const Fp8*>(x_) : nullptr,
            .x_scales = fp8 ? scales_ : nullptr,
            .m = m,
            .y_f32 = f32 ? static_cast<float*>(y_) : nullptr,
            .y_bf16 = f32 ? nullptr : static_cast<Bf16*>(y_),
            .y_stride = shape.n,
            .accumulate = false};
  }

  template <typename Product>
  double TimePeer([[maybe_unused]] Product product, [[maybe_unused]] int calls) {
#if defined(GPU_EMULATOR)
    return 0;
#else
    if (context_->library == nullptr) return 0;
    const auto run = [&](int i) {
      return RunCublasLt(context_->library, product(i), context_->scratch, kGemmScratchBytes, bench_.stream());
    };
    const LaunchResult first = run(0);
    if (!first.ok()) {
      const Gemm refused = product(0);
      std::printf("cuBLASLt, %s, m=%d: %s\n", Name(refused.w.format), refused.m, first.message());
      return 0;
    }
    return bench_.Time(run, calls);
#endif
  }

  void Row(const std::string& op, MatrixFormat format, const Shape& shape, std::int32_t m, double seconds,
           double peer) {
    const std::string text =
        "m=" + std::to_string(m) + " n=" + std::to_string(shape.n) + " k=" + std::to_string(shape.k);
    const double flops = 2.0 * m * shape.n * shape.k;
    // Of many rows the weights are the smaller part of what is moved, and nothing waits for them.
    const double bytes = m <= kGemmFewRows ? static_cast<double>(BytesOf(format, shape)) : 0;
    bench_.Row(op, text, seconds, bytes, flops, "cuBLASLt", peer);
  }

  Bench& bench_;
  GemmContext* context_ = nullptr;
  const std::uint8_t* pool_ = nullptr;
  const void* x_ = nullptr;  // [kRowsMany][14336] BF16; read as FP8 too
  const float* scales_ = nullptr;
  void* y_ = nullptr;
};

void BenchFewRows(GemmBench& gemm, bool quick) {
  const std::vector<std::int32_t> rows = quick ? std::vector{1, 8, 64} : std::vector{1, 2, 4, 8, 16, 32, 64};
  for (const MatrixFormat format : {MatrixFormat::kBf16, MatrixFormat::kFp8}) {
    for (const Shape& shape : kProjections) {
      if (quick && shape.k == 4096 && shape.n == 6144) continue;
      for (const std::int32_t m : rows) gemm.Time(format, shape, m);
    }
    for (const std::int32_t m : rows) gemm.Time(format, kOutputMatrix, m);
  }
  for (const Shape& shape : {kProjections[1], kProjections[3]}) {
    for (const std::int32_t m : {1, 8, 16, 64}) gemm.TimeAdded(shape, m);
  }
  if (quick) return;
  for (const MatrixFormat format : {MatrixFormat::kBf16, MatrixFormat::kFp8}) {
    for (const Shape& shape : {kProjections[1], kProjections[2], kProjections[3]}) {
      for (const std::int32_t m : {1, 8, 16, 32, 64}) gemm.TimeCuts(format, shape, m);
    }
  }
}

}  // namespace

void BenchGemm(Bench& bench) {
  GemmBench gemm(bench);
  if (!gemm.ready()) return;
  BenchFewRows(gemm, bench.quick());
  for (const MatrixFormat format : {MatrixFormat::kBf16, MatrixFormat::kFp8}) {
    for (const Shape& shape : kProjections) {
      gemm.Time(format, shape, 4096);
      if (!bench.quick()) gemm.Time(format, shape, kRowsMany);
    }
    if (!bench.quick()) gemm.TimeWithoutLibrary(format, kProjections[1], 4096);
  }
}

}  // namespace kernels::gpu
