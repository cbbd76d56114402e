#include "kernels/quant/quantize_rows_gpu.h"

#include "kernels/primitives/gpu/aligned.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/rows.h"

namespace kernels::gpu {
namespace {

constexpr int kChunk = 8;  // values: 16 bytes of x
constexpr int kThreadsMax = 1024;

// A block holds a row in registers between its maximum and its rounding, kChunks chunks a thread, all of whose loads
// are under way before the first is used. x is still in L2 from whoever wrote it, so what counts is the latency.
template <int kChunks>
__global__ void __launch_bounds__(kThreadsMax) QuantizeRowsKernel(QuantizeFp8Rows quantize) {
  GPU_SHARED float scratch[2][kWarpLanes];
  BlockReduction reduction(scratch);
  const int row = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  const int threads = static_cast<int>(blockDim.x), chunks = quantize.width / kChunk;
  LetNextKernelStart();
  WaitForPreviousKernel();
  const auto* x = reinterpret_cast<const uint4*>(quantize.x) + std::int64_t{row} * chunks + thread;
  uint4 loaded[kChunks];
#pragma unroll
  for (int i = 0; i < kChunks; ++i) loaded[i] = i * threads < chunks - thread ? __ldcs(x + i * threads) : uint4{};
  float largest = 0.0F;
#pragma unroll
  for (int i = 0; i < kChunks; ++i) {
    float values[kChunk];
    UnpackBf16(loaded[i], values);
#pragma unroll
    for (float value : values) largest = fmaxf(largest, fabsf(value));
  }
  const Fp8Scale scale = Fp8ScaleOf(reduction.Max(largest));
  if (thread == 0) quantize.scales[row] = scale.scale;
  auto* y = reinterpret_cast<uint2*>(quantize.y) + std::int64_t{row} * chunks + thread;
#pragma unroll
  for (int i = 0; i < kChunks; ++i) {
    if (i * threads >= chunks - thread) break;
    float values[kChunk];
    UnpackBf16(loaded[i], values);
    y[i * threads] = PackFp8(values, scale.inverse);
  }
}

template <int kChunks>
LaunchResult LaunchRows(const QuantizeFp8Rows& quantize, Stream stream) {
  const unsigned threads = BlocksFor(quantize.width / kChunk, kChunks);
  const LaunchShape shape{.grid = dim3(static_cast<unsigned>(quantize.rows)),
                          .block = dim3(BlocksFor(threads, kWarpLanes) * kWarpLanes),
                          .overlap = true};
  return Launch(QuantizeRowsKernel<kChunks>, shape, stream, quantize);
}

}  // namespace

LaunchResult RunQuantizeRows(const QuantizeFp8Rows& quantize, Stream stream) {
  GPU_REQUIRE(quantize.rows >= 0);
  GPU_REQUIRE(quantize.width > 0 && quantize.width % kChunk == 0 && quantize.width <= 4 * kChunk * kThreadsMax);
  GPU_REQUIRE(quantize.x != nullptr && quantize.y != nullptr && quantize.scales != nullptr);
  GPU_REQUIRE(Aligned(quantize.x, 16) && Aligned(quantize.y, 16) && Aligned(quantize.scales, 4));
  if (quantize.rows == 0) return LaunchResult::Ok();
  if (quantize.width <= 4096) return LaunchRows<1>(quantize, stream);
  if (quantize.width <= 16384) return LaunchRows<2>(quantize, stream);
  return LaunchRows<4>(quantize, stream);
}

}  // namespace kernels::gpu
