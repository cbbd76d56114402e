#include "kernels/kvcache/check_paged_kv.h"
#include "kernels/kvcache/paged_kv_gpu.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/rows.h"

namespace kernels::gpu {
namespace {

constexpr int kThreads = 256;
constexpr int kLoads = 4;  // of 16 bytes under way a thread
constexpr std::int64_t kTileUnits = kThreads * kLoads;
constexpr std::int64_t kUnitBytes = 16;

// One tile of a cache block: `units` of 16 bytes in all. Past L1 alone: the copy of a fork is read soon.
__device__ __forceinline__ void CopyTile(uint4* to, const uint4* from, std::int64_t units, int tile) {
  const std::int64_t first = tile * kTileUnits + threadIdx.x;
  uint4 loaded[kLoads];
#pragma unroll
  for (int i = 0; i < kLoads; ++i) {
    const std::int64_t unit = first + i * kThreads;
    if (unit < units) loaded[i] = __ldcg(from + unit);
  }
#pragma unroll
  for (int i = 0; i < kLoads; ++i) {
    const std::int64_t unit = first + i * kThreads;
    if (unit < units) to[unit] = loaded[i];
  }
}

__device__ __forceinline__ uint4* BlockAt(void* base, std::int64_t bytes) {
  return reinterpret_cast<uint4*>(static_cast<unsigned char*>(base) + bytes);
}

// Grid (items * tiles of a cache block, planes). An id outside the pool is a fault of the caller; passing over it keeps
// the fault from spreading to other memory.
__global__ void __launch_bounds__(kThreads) CopyBlocksKernel(BlockCopy copy, int tiles) {
  const int item = static_cast<int>(blockIdx.x) / tiles, tile = static_cast<int>(blockIdx.x) % tiles;
  const std::uint32_t from = copy.pairs[2 * std::int64_t{item}], to = copy.pairs[2 * std::int64_t{item} + 1];
  const auto total = static_cast<std::uint32_t>(copy.blocks_total);
  if (from >= total || to >= total) return;
  const std::int64_t plane = blockIdx.y * copy.plane_bytes;
  CopyTile(BlockAt(copy.pool, plane + to * copy.block_bytes), BlockAt(copy.pool, plane + from * copy.block_bytes),
           copy.block_bytes / kUnitBytes, tile);
}

template <bool kGather>
__global__ void __launch_bounds__(kThreads) SwapBlocksKernel(BlockSwap swap, int tiles) {
  const int item = static_cast<int>(blockIdx.x) / tiles, tile = static_cast<int>(blockIdx.x) % tiles;
  const std::uint32_t id = swap.ids[item];
  if (id >= static_cast<std::uint32_t>(swap.blocks_total)) return;
  uint4* pooled = BlockAt(swap.pool, blockIdx.y * swap.plane_bytes + id * swap.block_bytes);
  uint4* staged = BlockAt(swap.staging, (std::int64_t{blockIdx.y} * swap.count + item) * swap.block_bytes);
  CopyTile(kGather ? staged : pooled, kGather ? pooled : staged, swap.block_bytes / kUnitBytes, tile);
}

struct Items {
  const void* pool;
  std::int64_t plane_bytes, block_bytes;
  std::int32_t planes, blocks_total, count;
};

// Checks what copies and swaps share, and cuts the work: *tiles tiles for each block.
LaunchResult CutItems(const Items& items, LaunchShape* shape, int* tiles) {
  GPU_REQUIRE(items.planes > 0 && items.planes <= 65535);
  GPU_REQUIRE(items.blocks_total > 0 && items.count >= 0);
  GPU_REQUIRE(items.block_bytes > 0 && items.block_bytes % kUnitBytes == 0);
  GPU_REQUIRE(items.plane_bytes % kUnitBytes == 0);
  GPU_REQUIRE(items.planes == 1 || items.plane_bytes / items.blocks_total >= items.block_bytes);
  GPU_REQUIRE(items.pool != nullptr && Aligned(items.pool, kUnitBytes));
  const std::int64_t tiles_of_block = (items.block_bytes / kUnitBytes + kTileUnits - 1) / kTileUnits;
  GPU_REQUIRE(tiles_of_block <= (std::int64_t{1} << 31) - 1);
  const std::int64_t blocks = items.count * tiles_of_block;
  GPU_REQUIRE(blocks <= (std::int64_t{1} << 31) - 1);
  *tiles = static_cast<int>(tiles_of_block);
  *shape = {.grid = dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(items.planes)), .block = dim3(kThreads)};
  return LaunchResult::Ok();
}

template <bool kGather>
LaunchResult SwapBlocks(const BlockSwap& swap, Stream stream) {
  LaunchShape shape;
  int tiles = 0;
  GPU_RETURN_IF_ERROR(CutItems(
      {swap.pool, swap.plane_bytes, swap.block_bytes, swap.planes, swap.blocks_total, swap.count}, &shape, &tiles));
  if (swap.count == 0) return LaunchResult::Ok();
  GPU_REQUIRE(swap.ids != nullptr && Aligned(swap.ids, 4));
  GPU_REQUIRE(swap.staging != nullptr && Aligned(swap.staging, kUnitBytes));
  return Launch(SwapBlocksKernel<kGather>, shape, stream, swap, tiles);
}

}  // namespace

LaunchResult CopyBlocks(const BlockCopy& copy, Stream stream) {
  LaunchShape shape;
  int tiles = 0;
  GPU_RETURN_IF_ERROR(CutItems(
      {copy.pool, copy.plane_bytes, copy.block_bytes, copy.planes, copy.blocks_total, copy.count}, &shape, &tiles));
  if (copy.count == 0) return LaunchResult::Ok();
  GPU_REQUIRE(copy.pairs != nullptr && Aligned(copy.pairs, 4));
  return Launch(CopyBlocksKernel, shape, stream, copy, tiles);
}

LaunchResult GatherBlocks(const BlockSwap& swap, Stream stream) { return SwapBlocks<true>(swap, stream); }
LaunchResult ScatterBlocks(const BlockSwap& swap, Stream stream) { return SwapBlocks<false>(swap, stream); }

}  // namespace kernels::gpu
