#include "kernels/primitives/gpu/aligned.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/rows.h"
#include "kernels/quant/dequantize_gpu.h"
#include "kernels/quant/repack_gpu.h"
#include "kernels/quant/repack_quant.h"

namespace kernels::gpu {
namespace {

constexpr int kThreads = 256;

// One row a block. Loading is bound by the file and the bus, so the second reading of a row (for FP8, from L2) is free.
template <WeightFormat kFrom>
__global__ void __launch_bounds__(kThreads) ToBf16Kernel(Repack repack, std::int64_t row_bytes) {
  const std::uint8_t* row = repack.file + blockIdx.x * row_bytes;
  auto* out = static_cast<Bf16*>(repack.data) + std::int64_t{blockIdx.x} * repack.k;
  float values[kLoadedValues];
  for (int i = static_cast<int>(threadIdx.x) * kLoadedValues; i < repack.k; i += kThreads * kLoadedValues) {
    LoadWeights<kFrom>(row, i, values);
    *reinterpret_cast<uint4*>(out + i) = PackBf16(values);
  }
}

template <WeightFormat kFrom>
__global__ void __launch_bounds__(kThreads) ToFp8Kernel(Repack repack, std::int64_t row_bytes) {
  GPU_SHARED float scratch[2][kWarpLanes];
  BlockReduction reduction(scratch);
  const std::uint8_t* row = repack.file + blockIdx.x * row_bytes;
  auto* out = static_cast<Fp8*>(repack.data) + std::int64_t{blockIdx.x} * repack.k;
  const int first = static_cast<int>(threadIdx.x) * kLoadedValues;
  float values[kLoadedValues], largest = 0.0F;
  for (int i = first; i < repack.k; i += kThreads * kLoadedValues) {
    LoadWeights<kFrom>(row, i, values);
#pragma unroll
    for (float value : values) largest = fmaxf(largest, fabsf(value));
  }
  const Fp8Scale scale = Fp8ScaleOf(reduction.Max(largest));
  if (threadIdx.x == 0) static_cast<float*>(repack.scales)[blockIdx.x] = scale.scale;
  for (int i = first; i < repack.k; i += kThreads * kLoadedValues) {
    LoadWeights<kFrom>(row, i, values);
    *reinterpret_cast<uint2*>(out + i) = PackFp8(values, scale.inverse);
  }
}

LaunchResult RepackPlain(const Repack& repack, Stream stream) {
  GPU_REQUIRE(Aligned(repack.file, AlignmentOf(repack.from)));
  const LaunchShape shape{.grid = dim3(static_cast<unsigned>(repack.n)), .block = dim3(kThreads)};
  return ForFormat(repack.from, [&]<WeightFormat kFrom>() {
    const auto kernel = repack.to == MatrixFormat::kBf16 ? ToBf16Kernel<kFrom> : ToFp8Kernel<kFrom>;
    return Launch(kernel, shape, stream, repack, RowBytes(kFrom, repack.k));
  });
}

}  // namespace

RepackedBytes BytesOfMatrix(MatrixFormat to, std::int32_t n, std::int32_t k) {
  const std::int64_t values = std::int64_t{n} * k;
  switch (to) {
    case MatrixFormat::kBf16:
      return {values * 2, 0};
    case MatrixFormat::kFp8:
      return {values, std::int64_t{n} * 4};
    case MatrixFormat::kQ8_0:
    case MatrixFormat::kQ4_0:
    case MatrixFormat::kQ4_1:
    case MatrixFormat::kQ4_K:
      return BytesOfQuantMatrix(to, n, k);
  }
  return {0, 0};
}

LaunchResult RunRepack(const Repack& repack, Stream stream) {
  GPU_REQUIRE(repack.n >= 0);
  GPU_REQUIRE(repack.k > 0 && repack.k % kQuantBlockValues == 0);
  GPU_REQUIRE(repack.k % BlockOf(repack.from).values == 0);
  const RepackedBytes bytes = BytesOfMatrix(repack.to, repack.n, repack.k);
  if (repack.n == 0) return LaunchResult::Ok();
  GPU_REQUIRE(repack.file != nullptr && repack.data != nullptr && Aligned(repack.data, 16));
  GPU_REQUIRE(bytes.scales == 0 || (repack.scales != nullptr && Aligned(repack.scales, 16)));
  switch (repack.to) {
    case MatrixFormat::kBf16:
    case MatrixFormat::kFp8:
      return RepackPlain(repack, stream);
    case MatrixFormat::kQ8_0:
    case MatrixFormat::kQ4_0:
    case MatrixFormat::kQ4_1:
    case MatrixFormat::kQ4_K:
      return RunRepackQuant(repack, stream);
  }
  return LaunchResult::Refused("requires a matrix format that repacking knows");
}

}  // namespace kernels::gpu
