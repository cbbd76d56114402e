#include "tests/kernels/gpu/instruction_kernels.h"

#include "kernels/primitives/gpu/async_copy.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/mma.h"
#include "kernels/primitives/gpu/warp.h"

namespace kernels::gpu {
namespace {

__global__ void ConvertKernel(const float* x, int count, Bf16* bf16, std::uint32_t* packed, Fp8* fp8, float* from_fp8) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= count) return;
  bf16[i] = ToBf16(x[i]);
  packed[i] = PackBf16(x[i], -x[i]);
  fp8[i] = ToFp8(x[i]);
  from_fp8[i] = ToFloat(Fp8{static_cast<std::uint8_t>(i)});
}

template <bool kF16>
__global__ void __launch_bounds__(32) ProductKernel(const std::uint16_t* a, const std::uint16_t* b, float* d) {
  auto* tile_a = reinterpret_cast<std::uint16_t*>(DynamicShared());
  auto* tile_b = tile_a + 16 * 16;
  const unsigned lane = threadIdx.x;
  CopyAsync16(tile_a + lane * 8, a + lane * 8);
  if (lane < 16) CopyAsync16(tile_b + lane * 8, b + lane * 8);
  CopyAsyncCommit();
  CopyAsyncWait<0>();
  __syncthreads();
  std::uint32_t of_a[4], both_b[4];
  LoadMatrix4(of_a, tile_a + lane % 16 * 16 + lane / 16 * 8);
  LoadMatrix4Transposed(both_b, tile_b + lane % 16 * 8);  // lanes 16 .. 31 name the same rows again
  const std::uint32_t of_b[2] = {both_b[0], both_b[1]};
  float* place[4];
  float sums[4];
  for (unsigned i = 0; i < 4; ++i) {
    place[i] = d + (lane / 4 + i / 2 * 8) * 8 + 2 * (lane % 4) + i % 2;
    sums[i] = *place[i];
  }
  if constexpr (kF16) {
    MmaF16(sums, of_a, of_b);
  } else {
    MmaBf16(sums, of_a, of_b);
  }
  for (unsigned i = 0; i < 4; ++i) *place[i] = sums[i];
}

__global__ void __launch_bounds__(32) ShuffleKernel(const int* x, int* y) {
  const int lane = static_cast<int>(threadIdx.x);
  const int value = x[lane];
  const int results[kShuffles] = {
      __shfl_sync(kAllLanes, value, 5),
      __shfl_sync(kAllLanes, value, lane * 7 + 3),
      __shfl_sync(kAllLanes, value, 9, 8),
      __shfl_up_sync(kAllLanes, value, 3),
      __shfl_up_sync(kAllLanes, value, 5, 16),
      __shfl_down_sync(kAllLanes, value, 7),
      __shfl_down_sync(kAllLanes, value, 2, 4),
      __shfl_xor_sync(kAllLanes, value, 21),
      __shfl_xor_sync(kAllLanes, value, 3, 8),
      __shfl_xor_sync(kAllLanes, value, 12, 8),
      static_cast<int>(__shfl_xor_sync(kAllLanes, static_cast<long long>(value) << 32, 1) >> 32),
      static_cast<int>(__shfl_sync(kAllLanes, static_cast<float>(value), 30 - lane)),
  };
  for (int i = 0; i < kShuffles; ++i) y[i * 32 + lane] = results[i];
}

__global__ void __launch_bounds__(32) VoteKernel(const int* x, unsigned mask, int* y) {
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = 0; i < kVotes; ++i) y[i * 32 + lane] = 0;
  if ((mask >> lane & 1U) == 0) return;
  const int value = x[lane];
  const int results[kVotes] = {
      static_cast<int>(__ballot_sync(mask, value > 0)),
      __any_sync(mask, value == x[31]),
      __all_sync(mask, value < 1000),
      __reduce_add_sync(mask, value),
      __reduce_max_sync(mask, value),
      __reduce_min_sync(mask, value),
      static_cast<int>(__reduce_max_sync(mask, static_cast<unsigned>(value))),
      static_cast<int>(__reduce_or_sync(mask, static_cast<unsigned>(value))),
      __shfl_sync(mask, value, 31),
  };
  for (int i = 0; i < kVotes; ++i) y[i * 32 + lane] = results[i];
}

template <int kThreads>
__global__ void __launch_bounds__(kThreads) SumKernel(const float* x, float* y) {
  GPU_SHARED float scratch[32];
  // Twice: the scratch is used again at once.
  const float sum = BlockSum<kThreads>(x[blockIdx.x * kThreads + threadIdx.x], scratch);
  const float threads = BlockSum<kThreads>(1.0F, scratch);
  if (threadIdx.x == kThreads - 1) y[blockIdx.x] = threads == static_cast<float>(kThreads) ? sum : -1.0F;
}

__global__ void CountKernel(int live, int* counts) {
  const int thread = static_cast<int>(threadIdx.x);
  if (thread >= live) return;
  const int even = __syncthreads_count(thread % 2 == 0);
  const int any = __syncthreads_or(thread == live - 1);
  const int all = __syncthreads_and(thread < live);
  const int none = __syncthreads_or(thread == live) + __syncthreads_and(thread == 0 && live > 1);
  counts[thread] = any != 0 && all != 0 && none == 0 ? even : -1;
}

constexpr int kTile = 512;  // floats

__global__ void __launch_bounds__(128) PipelineKernel(const float* x, std::int64_t count, int tiles, float* y) {
  auto* buffers = reinterpret_cast<float*>(DynamicShared());  // [2][kTile]
  const int at = static_cast<int>(threadIdx.x) * 4;
  const auto fetch = [&](int tile) {
    if (tile < tiles) {
      const std::int64_t first = std::int64_t{tile} * kTile + at;
      CopyAsync16(buffers + tile % 2 * kTile + at, x + (first < count ? first : 0), first < count);
    }
    CopyAsyncCommit();
  };
  fetch(0);
  for (int tile = 0; tile < tiles; ++tile) {
    fetch(tile + 1);
    CopyAsyncWait<1>();
    __syncthreads();
    for (int i = 0; i < 4; ++i) {  // what other threads fetched, in reverse
      y[tile * kTile + kTile - 1 - (at + i)] = buffers[tile % 2 * kTile + kTile - 1 - (at + i)];
    }
    __syncthreads();
  }
}

__global__ void IntrinsicsKernel(unsigned a, unsigned b, float x, unsigned* y) {
  const int sa = static_cast<int>(a), sb = static_cast<int>(b);
  const unsigned results[kIntrinsics] = {
      static_cast<unsigned>(__popc(a)),
      static_cast<unsigned>(__clz(sa)),
      static_cast<unsigned>(__ffs(sa)),
      __brev(a),
      __byte_perm(a, b, 0x3615),
      __funnelshift_l(a, b, 5),
      __funnelshift_r(a, b, 37),
      __umulhi(a, b),
      static_cast<unsigned>(__mulhi(sa, sb)),
      static_cast<unsigned>(__mul24(sa, sb)),
      static_cast<unsigned>(__dp4a(sa, sb, 11)),
      __dp4a(a, b, 11U),
      __vadd4(a, b),
      __vsub4(a, b),
      static_cast<unsigned>(__float2int_rn(x)),
      static_cast<unsigned>(__float2int_rz(-x)),
      static_cast<unsigned>(__float2int_rd(-x)),
      static_cast<unsigned>(__float2int_rn(__uint_as_float(0x7FC00000U))),
      static_cast<unsigned>(__float2int_rn(1e20F)),
      __float2uint_rn(-3.0F),
      __float_as_uint(rsqrtf(4.0F)),
      __float_as_uint(fmaxf(__uint_as_float(0x7FC00000U), 2.0F)),
      static_cast<unsigned>(min(sa, sb)),
      max(a, b),
  };
  for (int i = 0; i < kIntrinsics; ++i) y[i] = results[i];
}

__global__ void AtomicsKernel(AtomicCounters* counters) {
  const unsigned thread = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(&counters->sum, static_cast<int>(thread) - 100);
  atomicMax(&counters->max, thread * 7 % 1024);
  atomicInc(&counters->inc, 99);
  atomicAdd(&counters->float_sum, 0.5F);
  atomicOr(&counters->exchanged_or, 1ULL << thread % 64);
  int seen = atomicOr(&counters->swaps, 0), before;
  do {  // an addition by compare-and-swap
    before = seen;
    seen = atomicCAS(&counters->swaps, before, before + 2);
  } while (seen != before);
}

__global__ void __launch_bounds__(256) LastBlockKernel(const float* x, float* parts, unsigned* arrived, float* y) {
  GPU_SHARED float scratch[32];
  GPU_SHARED bool last;
  const float sum = BlockSum<256>(x[blockIdx.x * 256 + threadIdx.x], scratch);
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = sum;
    __threadfence();
    last = atomicAdd(arrived, 1U) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last || threadIdx.x != 0) return;
  __threadfence();
  float total = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) total += __ldcg(parts + i);
  *y = total;
  *arrived = 0;
}

__global__ void AddOneKernel(const float* x, int count, float* y) {
  WaitForPreviousKernel();
  LetNextKernelStart();  // it still waits for what is written below
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) y[i] = x[i] + 1.0F;
}
__global__ void DoubleKernel(const float* y, int count, float* z) {
  WaitForPreviousKernel();
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) z[i] = y[i] * 2.0F;
}

__global__ void StoreOneKernel(unsigned* y) { *y = 1; }

__global__ void PlacesKernel(unsigned* y) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned threads = blockDim.x * blockDim.y * blockDim.z;
  const bool aligned = reinterpret_cast<std::uintptr_t>(DynamicShared()) % 1024 == 0;
  y[block * threads + thread] = aligned ? block * 1000 + thread : ~0U;
}

}  // namespace

LaunchResult ConvertFormats(const float* x, int count, Bf16* bf16, std::uint32_t* packed, Fp8* fp8, float* from_fp8,
                            Stream stream) {
  return Launch(ConvertKernel, {.grid = BlocksFor(count, 256), .block = 256}, stream, x, count, bf16, packed, fp8,
                from_fp8);
}

LaunchResult ProductBf16(const std::uint16_t* a, const std::uint16_t* b, float* d, Stream stream) {
  return Launch(ProductKernel<false>, {.grid = 1, .block = 32, .shared_bytes = 768}, stream, a, b, d);
}
LaunchResult ProductF16(const std::uint16_t* a, const std::uint16_t* b, float* d, Stream stream) {
  return Launch(ProductKernel<true>, {.grid = 1, .block = 32, .shared_bytes = 768}, stream, a, b, d);
}

LaunchResult Shuffles(const int* x, int* y, Stream stream) {
  return Launch(ShuffleKernel, {.grid = 1, .block = 32}, stream, x, y);
}
LaunchResult Votes(const int* x, unsigned mask, int* y, Stream stream) {
  return Launch(VoteKernel, {.grid = 1, .block = 32}, stream, x, mask, y);
}

LaunchResult SumBlocks(const float* x, int threads, int blocks, float* y, Stream stream) {
  const LaunchShape shape{.grid = static_cast<unsigned>(blocks), .block = static_cast<unsigned>(threads)};
  if (threads == 32) return Launch(SumKernel<32>, shape, stream, x, y);
  if (threads == 64) return Launch(SumKernel<64>, shape, stream, x, y);
  GPU_REQUIRE(threads == 1024);
  return Launch(SumKernel<1024>, shape, stream, x, y);
}
LaunchResult CountBarrier(int live, int* counts, Stream stream) {
  return Launch(CountKernel, {.grid = 1, .block = 100}, stream, live, counts);
}

LaunchResult CopyThroughShared(const float* x, std::int64_t count, int tiles, float* y, Stream stream) {
  GPU_REQUIRE(count % 4 == 0);
  return Launch(PipelineKernel, {.grid = 1, .block = 128, .shared_bytes = 2 * kTile * 4}, stream, x, count, tiles, y);
}

LaunchResult Intrinsics(unsigned a, unsigned b, float x, unsigned* y, Stream stream) {
  return Launch(IntrinsicsKernel, {.grid = 1, .block = 1}, stream, a, b, x, y);
}
LaunchResult Atomics(AtomicCounters* counters, Stream stream) {
  return Launch(AtomicsKernel, {.grid = 8, .block = 128}, stream, counters);
}
LaunchResult SumByLastBlock(const float* x, int blocks, float* parts, unsigned* arrived, float* y, Stream stream) {
  return Launch(LastBlockKernel, {.grid = static_cast<unsigned>(blocks), .block = 256}, stream, x, parts, arrived, y);
}

LaunchResult TwoOverlapping(const float* x, int count, float* y, float* z, Stream stream) {
  const LaunchShape shape{.grid = BlocksFor(count, 256), .block = 256, .shared_bytes = 0, .overlap = true};
  GPU_RETURN_IF_ERROR(Launch(AddOneKernel, shape, stream, x, count, y));
  return Launch(DoubleKernel, shape, stream, y, count, z);
}

LaunchResult Places(unsigned* y, Stream stream) {
  return Launch(PlacesKernel,
                {.grid = dim3(kPlaces[0], kPlaces[1], kPlaces[2]),
                 .block = dim3(kPlaces[3], kPlaces[4], kPlaces[5]),
                 .shared_bytes = 64},
                stream, y);
}

LaunchResult StoreOne(unsigned threads, unsigned shared_bytes, unsigned* y, Stream stream) {
  return Launch(StoreOneKernel, {.grid = 1, .block = threads, .shared_bytes = shared_bytes}, stream, y);
}

}  // namespace kernels::gpu
