#include "kernels/gemm/gemm_gpu.h"

#include "kernels/gemm/few_rows_gemm.h"
#include "kernels/gemm/gemm_context.h"
#include "kernels/gemm/quant_gemm.h"
#include "kernels/primitives/gpu/aligned.h"
#include "kernels/primitives/gpu/device.h"
#if !defined(GPU_EMULATOR)
#include "kernels/gemm/cublas_lt.h"
#endif

namespace kernels::gpu {
namespace {

bool Aligned16(const void* pointer) { return Aligned(pointer, 16); }

LaunchResult CheckInputs(const Gemm& gemm) {
  const Matrix& w = gemm.w;
  GPU_REQUIRE(w.data != nullptr && Aligned16(w.data) && Aligned16(w.scales));
  GPU_REQUIRE((gemm.x_bf16 != nullptr) != (gemm.x_fp8 != nullptr));
  GPU_REQUIRE(Aligned16(gemm.x_bf16) && Aligned16(gemm.x_fp8));
  GPU_REQUIRE(Aligned(gemm.x_scales, 4));
  GPU_REQUIRE(gemm.x_fp8 == nullptr || (w.format == MatrixFormat::kFp8 && gemm.x_scales != nullptr));
  GPU_REQUIRE(w.format == MatrixFormat::kBf16 ? w.scales == nullptr
                                              : w.format != MatrixFormat::kFp8 || w.scales != nullptr);
  return LaunchResult::Ok();
}

LaunchResult CheckOutput(const Gemm& gemm) {
  GPU_REQUIRE((gemm.y_f32 != nullptr) != (gemm.y_bf16 != nullptr));
  GPU_REQUIRE(Aligned16(gemm.y_f32) && Aligned16(gemm.y_bf16));
  GPU_REQUIRE(gemm.y_stride >= gemm.w.n && gemm.y_stride % (gemm.y_f32 != nullptr ? 4 : 8) == 0);
  GPU_REQUIRE(!gemm.accumulate || gemm.y_f32 != nullptr);
  return LaunchResult::Ok();
}

}  // namespace

LaunchResult MakeGemmContext(void* workspace, GemmContext** context) {
  GPU_REQUIRE(workspace != nullptr && Aligned(workspace, 256));
  auto* counters = static_cast<std::uint32_t*>(workspace);
  GemmContext made{.counters = counters,
                   .scratch = reinterpret_cast<float*>(counters + kGemmCounters),
                   .multiprocessors = 132,
                   .shared_bytes_max = 0,
                   .library = nullptr,
                   .library_missing = "the emulator has none"};
#if defined(GPU_EMULATOR)
  made.shared_bytes_max = static_cast<std::int32_t>(emulator::SharedLimit());
#else
  int device = 0;
  GPU_RETURN_IF_ERROR(ResultOf(cudaGetDevice(&device)));
  GPU_RETURN_IF_ERROR(ResultOf(cudaDeviceGetAttribute(&made.multiprocessors, cudaDevAttrMultiProcessorCount, device)));
  GPU_RETURN_IF_ERROR(
      ResultOf(cudaDeviceGetAttribute(&made.shared_bytes_max, cudaDevAttrMaxSharedMemoryPerBlockOptin, device)));
  const LaunchResult opened = OpenCublasLt(&made.library);  // opens a file and allocates on the host, no more
  made.library_missing = opened.ok() ? nullptr : opened.message();
#endif
  *context = new GemmContext(made);
  return LaunchResult::Ok();
}

void DestroyGemmContext(GemmContext* context) {
  if (context == nullptr) return;
#if !defined(GPU_EMULATOR)
  if (context->library != nullptr) CloseCublasLt(context->library);
#endif
  delete context;
}

bool FasterOnLibrary(const Gemm& gemm) {
  const Matrix& w = gemm.w;
  if (w.format == MatrixFormat::kFp8) return gemm.x_fp8 != nullptr && gemm.m > kGemmFp8InputRows;
  if (w.format != MatrixFormat::kBf16) return false;
  constexpr std::int64_t kLargeValues = std::int64_t{32} << 20;
  const bool long_sums = gemm.y_bf16 != nullptr && w.k / 2 >= w.n && std::int64_t{w.n} * w.k >= kLargeValues;
  return long_sums || gemm.m > kGemmBf16LibraryRows;
}

const char* GemmLibraryMissing(const GemmContext* context) { return context->library_missing; }

LaunchResult RunGemm(const Gemm& gemm, GemmContext* context, Stream stream) {
  GPU_REQUIRE(context != nullptr);
  GPU_REQUIRE(gemm.m >= 0 && gemm.w.n >= 0 && gemm.w.k > 0);
  if (gemm.m == 0 || gemm.w.n == 0) return LaunchResult::Ok();
  GPU_REQUIRE(gemm.w.k % 32 == 0 && gemm.w.n % 8 == 0);
  GPU_RETURN_IF_ERROR(CheckInputs(gemm));
  GPU_RETURN_IF_ERROR(CheckOutput(gemm));
  if (gemm.w.format != MatrixFormat::kBf16 && gemm.w.format != MatrixFormat::kFp8) {
    return RunQuantGemm(gemm, context, stream);
  }
#if !defined(GPU_EMULATOR)
  if (context->library != nullptr && FasterOnLibrary(gemm)) {
    const LaunchResult result = RunCublasLt(context->library, gemm, context->scratch, kGemmScratchBytes, stream);
    if (result.code() != LaunchResult::Code::kRefused) return result;  // else: no algorithm of the library's
  }
#endif
  return RunFewRowsGemm(gemm, PlanFewRows(gemm, *context), context, stream);
}

}  // namespace kernels::gpu
