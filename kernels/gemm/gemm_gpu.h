#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

// How a weight matrix lies in device memory. The plain two are row-major; the 4-bit and 8-bit formats of a GGUF file
// are repacked at load (quant/repack_gpu.h states the layouts) so that a thread's 16 bytes are what it multiplies next.
enum class MatrixFormat {
  kBf16,  // [n][k]
  kFp8,   // [n][k], scales [n]: value = fp8 * scale
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ4_K,
};

// y = W x, W of n rows and k columns.
struct Matrix {
  const void* data;
  const void* scales;  // kFp8: F32 [n]; the quantised formats: see quant/repack_gpu.h; kBf16: nullptr
  MatrixFormat format;
  std::int32_t n, k;
};

// y[m][n] = sum_k x[m][k] w[n][k] (times x_scales[m] for FP8 activations), or added to y when `accumulate` (F32 alone).
//   x     : [m][k], BF16, or FP8 with x_scales [m] for an FP8 matrix
//   y     : [m][y_stride], the first n of each row, F32 or BF16: exactly one of the two
// Few rows run on kernels of our own, bound by reading the weights once; more rows of BF16 and FP8 run on cuBLASLt,
// from where it is the faster (FasterOnLibrary); where that library is missing, our kernels take kGemmFewRows at a
// time. More rows of a quantised format are widened tile by tile in the kernel.
// REQUIRES: k a multiple of 32, n of 8; 16-byte aligned pointers and rows. What wrote the weights and their scales has
// ended before the product is enqueued (Synchronize): kernels start to read weights while the preceding one still runs.
//
// Determinism: on our kernels, for a given bucket of rows (1, 2, 4, 8, 16, 32, 64, more), results do not depend on the
// other rows; between buckets they may differ in the last bits, because sums are cut differently. cuBLASLt chooses its
// algorithm by the exact number of rows, so there they may differ between any two numbers of rows. So they may between
// cards, by their multiprocessors and the shared memory that a block may have; a card without enough for any cut is
// refused.
struct Gemm {
  Matrix w;
  const Bf16* x_bf16;
  const Fp8* x_fp8;
  const float* x_scales;
  std::int32_t m;
  float* y_f32;
  Bf16* y_bf16;
  std::int32_t y_stride;
  bool accumulate;
};

inline constexpr std::int32_t kGemmFewRows = 64;
// With more rows than these a product is faster on cuBLASLt, with FP8 weights if the inputs are FP8 too.
inline constexpr std::int32_t kGemmBf16LibraryRows = 16;
inline constexpr std::int32_t kGemmFp8InputRows = 32;
// Which products cuBLASLt takes where there is one: by the rows of kernels/RESULTS.md, which has both at 1 to 64 rows.
// Beside those of many rows they are large BF16 matrices with few outputs and a long sum, written as BF16: few of our
// blocks have rows of their own there, and the library cuts the sum better (31 against 37 microseconds for 4,096 x
// 14,336 at one row). With an F32 output, as the model adds a layer's last product, the two have not been compared yet
// (the bench has that row), so these stay ours.
bool FasterOnLibrary(const Gemm& gemm);

// Device memory that products may use while they run, and the state of cuBLASLt. One for each stream that computes.
// Made once, before anything is captured into a graph: making it loads the library.
//   workspace : kGemmWorkspaceBytes of device memory, zero at the start: split sums count their arrivals in it, and
//               leave it zero
inline constexpr std::size_t kGemmWorkspaceBytes = std::size_t{64} << 20;
class GemmContext;
LaunchResult MakeGemmContext(void* workspace, GemmContext** context);
void DestroyGemmContext(GemmContext* context);
// nullptr: products of many rows run on cuBLASLt. Otherwise why it can't be had; they run on slower kernels of our own.
const char* GemmLibraryMissing(const GemmContext* context);

LaunchResult RunGemm(const Gemm& gemm, GemmContext* context, Stream stream);

}  // namespace kernels::gpu
