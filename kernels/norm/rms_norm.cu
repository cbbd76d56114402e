#include "kernels/norm/rms_norm_gpu.h"

#include "kernels/primitives/gpu/aligned.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/rows.h"
#include "kernels/primitives/gpu/warp.h"

namespace kernels::gpu {
namespace {

// A chunk is four values: 16 bytes of x, 8 of the delta and of a BF16 result. Larger chunks would leave gaps between
// the lanes of a warp in x, and a store with gaps costs L2 twice.
constexpr int kChunk = 4;
// A row that one warp holds needs no barrier; four such rows make a block.
constexpr int kRowsOfWarpBlock = 4;
constexpr int kWarpRowWidthMax = 1024;

// kTeam threads hold one row in registers, kChunks chunks each, from the loads to the stores, so x is read once. Thread
// t holds chunks t, t + kTeam, ...: neighbours in memory for the lanes of a warp. The sum's order depends on the width
// alone, so a row gives the same bits in any company.
template <int kTeam, int kChunks>
struct Row {
  float4 values[kChunks];

  // x (+= delta), with all loads under way before the first is used: the compiler would spread them between the
  // additions to spare registers, but moves none across a __syncwarp. `x` and `delta` point to the thread's first
  // chunk, of which `rest` chunks remain to the row's end; zeros beyond it.
  template <bool kDelta>
  __device__ __forceinline__ void Load(const float4* x, const uint2* delta, int rest) {
    constexpr int kBatch = kChunks > 4 && kTeam == 1024 ? 2 : kChunks;  // of deltas under way
#pragma unroll
    for (int i = 0; i < kChunks; ++i) values[i] = i * kTeam < rest ? __ldcg(x + i * kTeam) : float4{};
#pragma unroll
    for (int first = 0; kDelta && first < kChunks; first += kBatch) {
      uint2 packed[kBatch];
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        const int at = (first + i) * kTeam;
        packed[i] = at < rest ? __ldcs(delta + at) : uint2{};
      }
      __syncwarp();
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        float4& value = values[first + i];
        value.x += LowBf16(packed[i].x);
        value.y += HighBf16(packed[i].x);
        value.z += LowBf16(packed[i].y);
        value.w += HighBf16(packed[i].y);
      }
    }
  }

  __device__ __forceinline__ void Store(float4* x, int rest) const {
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      if (i * kTeam < rest) x[i * kTeam] = values[i];
    }
  }

  __device__ __forceinline__ float SumOfSquares() const {
    float sum = 0.0F;
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      sum +=
          values[i].x * values[i].x + values[i].y * values[i].y + values[i].z * values[i].z + values[i].w * values[i].w;
    }
    return sum;
  }

  __device__ __forceinline__ float Largest() const {
    float largest = 0.0F;
#pragma unroll
    for (int i = 0; i < kChunks; ++i) {
      largest = fmaxf(
          largest, fmaxf(fmaxf(fabsf(values[i].x), fabsf(values[i].y)), fmaxf(fabsf(values[i].z), fabsf(values[i].w))));
    }
    return largest;
  }
};

template <int kTeam, int kChunks>
__device__ __forceinline__ void LoadWeight(Row<kTeam, kChunks>& weight, const float4* from, int rest) {
#pragma unroll
  for (int i = 0; i < kChunks; ++i) weight.values[i] = i * kTeam < rest ? from[i * kTeam] : float4{};
}

// The widest rows fill the registers of their threads: the weight then waits in L1, and is read where it is used.
template <int kTeam, int kChunks>
constexpr bool KeepsWeight() {
  return kTeam * kChunks <= 4096;
}

// One row, from the loads to the stores. `weight` is unused unless it is kept; `reduction` goes over the kTeam threads.
template <int kTeam, int kChunks, bool kDelta, bool kFp8, typename Reduction>
__device__ __forceinline__ void NormRow(const RmsNorm& norm, int row, int thread, const Row<kTeam, kChunks>& weight,
                                        Reduction& reduction) {
  const std::int64_t chunks = norm.width / kChunk, id = norm.row_ids != nullptr ? norm.row_ids[row] : row;
  const int rest = static_cast<int>(chunks) - thread;
  // An id that is no row's is a fault of the caller: its result is NaN, no pointer is formed with it, and nothing is
  // read or written for it.
  const bool known = norm.row_ids == nullptr || (id >= 0 && id < norm.rows_total);
  const std::int64_t source = known ? id : 0;
  float4* x = reinterpret_cast<float4*>(norm.x) + source * chunks + thread;
  Row<kTeam, kChunks> own;
  const auto* delta = kDelta ? reinterpret_cast<const uint2*>(norm.delta) + source * chunks + thread : nullptr;
  own.template Load<kDelta>(x, delta, known ? rest : 0);
  if constexpr (kDelta) own.Store(x, known ? rest : 0);
  const float mean = reduction.Sum(own.SumOfSquares()) / static_cast<float>(norm.width);
  const float factor = known ? 1.0F / sqrtf(mean + norm.eps) : NAN;  // zeros were loaded
#pragma unroll
  for (int i = 0; i < kChunks; ++i) {
    float4 w = weight.values[i];
    if constexpr (!KeepsWeight<kTeam, kChunks>()) {
      w = i * kTeam < rest ? reinterpret_cast<const float4*>(norm.weight)[thread + i * kTeam] : float4{};
      if (i % 2 == 1) __syncwarp();  // keeps the compiler from holding all of these loads at once
    }
    own.values[i].x *= factor * w.x;
    own.values[i].y *= factor * w.y;
    own.values[i].z *= factor * w.z;
    own.values[i].w *= factor * w.w;
  }
  Fp8Scale scale{};
  if constexpr (kFp8) {
    scale = Fp8ScaleOf(reduction.Max(own.Largest()));
    if (thread == 0) norm.y_scales[row] = scale.scale;
  }
  const std::int64_t first = row * chunks + thread;
#pragma unroll
  for (int i = 0; i < kChunks; ++i) {
    const float4 y = own.values[i];
    if (i * kTeam >= rest) break;
    if constexpr (kFp8) {
      (reinterpret_cast<std::uint32_t*>(norm.y_fp8) + first)[i * kTeam] =
          PackFp8(y.x * scale.inverse, y.y * scale.inverse, y.z * scale.inverse, y.w * scale.inverse);
    } else {
      (reinterpret_cast<uint2*>(norm.y_bf16) + first)[i * kTeam] = make_uint2(PackBf16(y.x, y.y), PackBf16(y.z, y.w));
    }
  }
}

struct WarpReduction {
  __device__ __forceinline__ float Sum(float value) const { return WarpSum(value); }
  __device__ __forceinline__ float Max(float value) const { return WarpMax(value); }
};

// The weight does not depend on the kernel before, so it is fetched while that one still runs; it then stays in
// registers for all rows of the block.
template <int kTeam, int kChunks, bool kDelta, bool kFp8>
__global__ void __launch_bounds__(kTeam == kWarpLanes ? kWarpLanes * kRowsOfWarpBlock : kTeam)
    RmsNormKernel(RmsNorm norm) {
  constexpr int kRowsOfBlock = kTeam == kWarpLanes ? kRowsOfWarpBlock : 1;
  const int thread = static_cast<int>(threadIdx.x) % kTeam, team = static_cast<int>(threadIdx.x) / kTeam;
  const int stride = static_cast<int>(gridDim.x) * kRowsOfBlock;
  LetNextKernelStart();
  Row<kTeam, kChunks> weight;
  if constexpr (KeepsWeight<kTeam, kChunks>()) {
    LoadWeight(weight, reinterpret_cast<const float4*>(norm.weight) + thread, norm.width / kChunk - thread);
  }
  WaitForPreviousKernel();
  const auto norm_rows = [&](auto& reduction) {
    for (std::int64_t row = std::int64_t{blockIdx.x} * kRowsOfBlock + team; row < norm.rows; row += stride) {
      NormRow<kTeam, kChunks, kDelta, kFp8>(norm, static_cast<int>(row), thread, weight, reduction);
    }
  };
  if constexpr (kTeam == kWarpLanes) {
    WarpReduction reduction;
    norm_rows(reduction);
  } else {
    GPU_SHARED float scratch[2][kWarpLanes];
    BlockReduction reduction(scratch);
    norm_rows(reduction);
  }
}

template <int kTeam, int kChunks>
LaunchResult LaunchCut(const RmsNorm& norm, int rows_of_team, Stream stream) {
  constexpr int kRowsOfBlock = kTeam == kWarpLanes ? kRowsOfWarpBlock : 1;
  const LaunchShape shape{.grid = dim3(BlocksFor(norm.rows, std::int64_t{kRowsOfBlock} * rows_of_team)),
                          .block = dim3(kTeam * kRowsOfBlock),
                          .overlap = true};
  if (norm.delta == nullptr) {
    const auto kernel = norm.y_fp8 != nullptr ? RmsNormKernel<kTeam, kChunks, false, true>
                                              : RmsNormKernel<kTeam, kChunks, false, false>;
    return Launch(kernel, shape, stream, norm);
  }
  const auto kernel =
      norm.y_fp8 != nullptr ? RmsNormKernel<kTeam, kChunks, true, true> : RmsNormKernel<kTeam, kChunks, true, false>;
  return Launch(kernel, shape, stream, norm);
}

}  // namespace

RmsNormCut DefaultCut(std::int32_t width) {
  if (width <= kWarpRowWidthMax) return {32, 1};
  if (width <= 4096) return {256, 1};
  if (width <= 8192) return {512, 1};
  return {1024, 1};
}

LaunchResult RunRmsNorm(const RmsNorm& norm, RmsNormCut cut, Stream stream) {
  GPU_REQUIRE(norm.rows >= 0);
  GPU_REQUIRE(norm.width > 0 && norm.width % 8 == 0 && norm.width <= 32768);
  GPU_REQUIRE(norm.x != nullptr && norm.weight != nullptr);
  GPU_REQUIRE((norm.y_bf16 != nullptr) != (norm.y_fp8 != nullptr));
  GPU_REQUIRE((norm.y_fp8 != nullptr) == (norm.y_scales != nullptr));
  GPU_REQUIRE(Aligned(norm.x, 16) && Aligned(norm.delta, 16) && Aligned(norm.weight, 16));
  GPU_REQUIRE(Aligned(norm.y_bf16, 16) && Aligned(norm.y_fp8, 16) && Aligned(norm.y_scales, 4));
  GPU_REQUIRE(norm.row_ids == nullptr || (Aligned(norm.row_ids, 4) && norm.rows_total > 0));
  GPU_REQUIRE(cut.rows_of_team > 0);
  if (norm.rows == 0) return LaunchResult::Ok();

  const int team = cut.team, rows = cut.rows_of_team;
  const int chunks = static_cast<int>(BlocksFor(norm.width / kChunk, team > 0 ? team : 1));  // of a thread
  if (team == 32 && chunks <= 2) return LaunchCut<32, 2>(norm, rows, stream);
  if (team == 32 && chunks <= 5) return LaunchCut<32, 5>(norm, rows, stream);
  if (team == 32 && chunks <= 8) return LaunchCut<32, 8>(norm, rows, stream);
  if (team == 128 && chunks <= 8) return LaunchCut<128, 8>(norm, rows, stream);
  if (team == 256 && chunks <= 2) return LaunchCut<256, 2>(norm, rows, stream);
  if (team == 256 && chunks <= 4) return LaunchCut<256, 4>(norm, rows, stream);
  if (team == 512 && chunks <= 2) return LaunchCut<512, 2>(norm, rows, stream);
  if (team == 512 && chunks <= 4) return LaunchCut<512, 4>(norm, rows, stream);
  if (team == 1024 && chunks <= 4) return LaunchCut<1024, 4>(norm, rows, stream);
  if (team == 1024 && chunks <= 8) return LaunchCut<1024, 8>(norm, rows, stream);
  return LaunchResult::Refused("requires a cut whose registers hold the row");
}

LaunchResult RunRmsNorm(const RmsNorm& norm, Stream stream) { return RunRmsNorm(norm, DefaultCut(norm.width), stream); }

}  // namespace kernels::gpu
