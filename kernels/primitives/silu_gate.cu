#include "kernels/primitives/silu_gate_gpu.h"

#include "kernels/primitives/gpu/aligned.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/rows.h"

namespace kernels::gpu {
namespace {

constexpr int kChunk = 8;  // values: 16 bytes of the gate and of up

// gate / (1 + e^-gate) * up, by the special function unit: a few units in the last place of F32, far below what BF16
// keeps. Below -87 the divisor is so large that the result is 0.
__device__ __forceinline__ float SiluTimes(float gate, float up) { return __fdividef(gate, 1.0F + __expf(-gate)) * up; }

__device__ __forceinline__ void SiluChunk(const uint4& gate, const uint4& up, float (&y)[kChunk]) {
  float gates[kChunk], ups[kChunk];
  UnpackBf16(gate, gates);
  UnpackBf16(up, ups);
#pragma unroll
  for (int i = 0; i < kChunk; ++i) y[i] = SiluTimes(gates[i], ups[i]);
}

// The chunks of one row that a thread holds: every `stride`-th from its first, to which the pointers point and from
// which `rest` remain to the row's end. All loads are under way before the first is used: the compiler would spread
// them between the uses to spare registers, but moves none across a __syncwarp. Nothing uses gate_up again.
template <int kChunks>
struct Loaded {
  uint4 gate[kChunks], up[kChunks];

  __device__ __forceinline__ void Load(const uint4* gates, const uint4* ups, int stride, int rest) {
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      gate[i] = i * stride < rest ? __ldcs(gates + i * stride) : uint4{};
      up[i] = i * stride < rest ? __ldcs(ups + i * stride) : uint4{};
    }
  }
};

__device__ __forceinline__ const uint4* GatesOf(const SiluGate& gate, int row) {
  return reinterpret_cast<const uint4*>(gate.gate_up) + std::int64_t{row} * 2 * (gate.width / kChunk);
}

// BF16: every chunk on its own. A row is cut into `tiles` of blockDim.x * kChunks chunks, one a block.
template <int kChunks>
__global__ void __launch_bounds__(256) SiluBf16Kernel(SiluGate gate, int tiles) {
  const int row = static_cast<int>(blockIdx.x) / tiles, tile = static_cast<int>(blockIdx.x) % tiles;
  const int threads = static_cast<int>(blockDim.x), chunks = gate.width / kChunk;
  const int first = tile * threads * kChunks + static_cast<int>(threadIdx.x);
  LetNextKernelStart();
  WaitForPreviousKernel();
  Loaded<kChunks> loaded;
  const uint4* gates = GatesOf(gate, row) + first;
  loaded.Load(gates, gates + chunks, threads, chunks - first);
  auto* y = reinterpret_cast<uint4*>(gate.y_bf16) + std::int64_t{row} * chunks + first;
#pragma unroll
  for (int i = 0; i < kChunks; ++i) {
    if (i * threads >= chunks - first) break;
    float values[kChunk];
    SiluChunk(loaded.gate[i], loaded.up[i], values);
    y[i * threads] = PackBf16(values);
  }
}

__device__ __forceinline__ float LargestOf(const float (&values)[kChunk], float largest) {
#pragma unroll
  for (float value : values) largest = fmaxf(largest, fabsf(value));
  return largest;
}

// FP8: the scale needs the whole row before the first value can be rounded, so a block holds a row in registers.
template <int kThreadsMax, int kChunks>
__global__ void __launch_bounds__(kThreadsMax) SiluFp8Kernel(SiluGate gate) {
  GPU_SHARED float scratch[2][kWarpLanes];
  BlockReduction reduction(scratch);
  const int row = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  const int threads = static_cast<int>(blockDim.x), chunks = gate.width / kChunk;
  LetNextKernelStart();
  WaitForPreviousKernel();
  Loaded<kChunks> loaded;
  const uint4* gates = GatesOf(gate, row) + thread;
  loaded.Load(gates, gates + chunks, threads, chunks - thread);
  float values[kChunks][kChunk], largest = 0.0F;
#pragma unroll
  for (int i = 0; i < kChunks; ++i) {
    SiluChunk(loaded.gate[i], loaded.up[i], values[i]);
    largest = LargestOf(values[i], largest);
  }
  const Fp8Scale scale = Fp8ScaleOf(reduction.Max(largest));
  if (thread == 0) gate.y_scales[row] = scale.scale;
  auto* y = reinterpret_cast<uint2*>(gate.y_fp8) + std::int64_t{row} * chunks + thread;
#pragma unroll
  for (int i = 0; i < kChunks; ++i) {
    if (i * threads < chunks - thread) y[i * threads] = PackFp8(values[i], scale.inverse);
  }
}

// Rows that no block's registers hold are read and computed twice.
__global__ void __launch_bounds__(1024) SiluFp8WideKernel(SiluGate gate) {
  GPU_SHARED float scratch[2][kWarpLanes];
  BlockReduction reduction(scratch);
  const int row = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  const int threads = static_cast<int>(blockDim.x), chunks = gate.width / kChunk;
  const uint4 *gates = GatesOf(gate, row), *ups = gates + chunks;
  LetNextKernelStart();
  WaitForPreviousKernel();
  float values[kChunk], largest = 0.0F;
  for (int chunk = thread; chunk < chunks; chunk += threads) {
    SiluChunk(gates[chunk], ups[chunk], values);
    largest = LargestOf(values, largest);
  }
  const Fp8Scale scale = Fp8ScaleOf(reduction.Max(largest));
  if (thread == 0) gate.y_scales[row] = scale.scale;
  auto* y = reinterpret_cast<uint2*>(gate.y_fp8 + std::int64_t{row} * gate.width);
  for (int chunk = thread; chunk < chunks; chunk += threads) {
    SiluChunk(gates[chunk], ups[chunk], values);
    y[chunk] = PackFp8(values, scale.inverse);
  }
}

// The fewest whole warps for `items`.
unsigned WholeWarps(std::int64_t items) { return BlocksFor(items, kWarpLanes) * kWarpLanes; }

template <int kChunks>
LaunchResult LaunchBf16(const SiluGate& gate, Stream stream) {
  const int chunks = gate.width / kChunk;
  const unsigned tiles = BlocksFor(chunks, 256 * kChunks);
  const std::int64_t blocks = std::int64_t{tiles} * gate.rows;
  GPU_REQUIRE(blocks < std::int64_t{1} << 31);
  const LaunchShape shape{.grid = dim3(static_cast<unsigned>(blocks)),
                          .block = dim3(WholeWarps(BlocksFor(chunks, std::int64_t{tiles} * kChunks))),
                          .overlap = true};
  return Launch(SiluBf16Kernel<kChunks>, shape, stream, gate, static_cast<int>(tiles));
}

template <int kThreadsMax, int kChunks>
LaunchResult LaunchFp8(const SiluGate& gate, Stream stream) {
  const LaunchShape shape{.grid = dim3(static_cast<unsigned>(gate.rows)),
                          .block = dim3(WholeWarps(BlocksFor(gate.width / kChunk, kChunks))),
                          .overlap = true};
  return Launch(SiluFp8Kernel<kThreadsMax, kChunks>, shape, stream, gate);
}

}  // namespace

std::int32_t DefaultChunksOfThread(const SiluGate& gate) {
  if (gate.y_fp8 == nullptr || gate.width <= 4096) return 1;
  return gate.width <= 16384 ? 2 : 4;  // two need 32 registers, so that 2,048 threads share a multiprocessor
}

LaunchResult RunSiluGate(const SiluGate& gate, std::int32_t chunks_of_thread, Stream stream) {
  GPU_REQUIRE(gate.rows >= 0);
  GPU_REQUIRE(gate.width > 0 && gate.width % kChunk == 0);
  GPU_REQUIRE(gate.gate_up != nullptr);
  GPU_REQUIRE((gate.y_bf16 != nullptr) != (gate.y_fp8 != nullptr));
  GPU_REQUIRE((gate.y_fp8 != nullptr) == (gate.y_scales != nullptr));
  GPU_REQUIRE(Aligned(gate.gate_up, 16) && Aligned(gate.y_bf16, 16) && Aligned(gate.y_fp8, 16));
  GPU_REQUIRE(Aligned(gate.y_scales, 4));
  if (gate.rows == 0) return LaunchResult::Ok();

  if (gate.y_bf16 != nullptr) {
    if (chunks_of_thread == 1) return LaunchBf16<1>(gate, stream);
    if (chunks_of_thread == 2) return LaunchBf16<2>(gate, stream);
    if (chunks_of_thread == 4) return LaunchBf16<4>(gate, stream);
    return LaunchResult::Refused("requires 1, 2 or 4 chunks a thread");
  }
  const std::int64_t threads = BlocksFor(gate.width / kChunk, chunks_of_thread > 0 ? chunks_of_thread : 1);
  if (threads > 1024) {
    const LaunchShape shape{.grid = dim3(static_cast<unsigned>(gate.rows)), .block = dim3(1024), .overlap = true};
    return Launch(SiluFp8WideKernel, shape, stream, gate);
  }
  if (chunks_of_thread == 1) return LaunchFp8<1024, 1>(gate, stream);
  if (chunks_of_thread == 2) return LaunchFp8<1024, 2>(gate, stream);
  if (chunks_of_thread == 4 && threads <= 512) return LaunchFp8<512, 4>(gate, stream);
  if (chunks_of_thread == 4) return LaunchFp8<1024, 4>(gate, stream);
  if (chunks_of_thread == 7 && threads <= 256) return LaunchFp8<256, 7>(gate, stream);
  return LaunchResult::Refused("requires 1, 2, 4 or (narrow rows) 7 chunks a thread");
}

LaunchResult RunSiluGate(const SiluGate& gate, Stream stream) {
  return RunSiluGate(gate, DefaultChunksOfThread(gate), stream);
}

}  // namespace kernels::gpu
