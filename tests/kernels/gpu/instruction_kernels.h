#pragma once

#include <cstdint>

#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/primitives/gpu/launch_result.h"

// Small kernels that try the language's building blocks: on a card they show what the hardware does, on the emulator
// that it does the same. All pointers are device memory.
namespace kernels::gpu {

// x: [count] -> every format's code, and back.
LaunchResult ConvertFormats(const float* x, int count, Bf16* bf16, std::uint32_t* packed, Fp8* fp8, float* from_fp8,
                            Stream stream);

// d [16][8] += a [16][16] b [16][8] by one warp: a through ldmatrix, b through the transposed one; all row-major.
LaunchResult ProductBf16(const std::uint16_t* a, const std::uint16_t* b, float* d, Stream stream);
LaunchResult ProductF16(const std::uint16_t* a, const std::uint16_t* b, float* d, Stream stream);

// What each lane of one warp gets: [kShuffles][32].
inline constexpr int kShuffles = 12;
LaunchResult Shuffles(const int* x, int* y, Stream stream);
// Ballots and reductions over the lanes of `mask` alone, whose complement has returned: [kVotes][32], 0 where it has.
inline constexpr int kVotes = 9;
LaunchResult Votes(const int* x, unsigned mask, int* y, Stream stream);

// y[block] = sum of the block's 32, 64 or 1,024 values.
LaunchResult SumBlocks(const float* x, int threads, int blocks, float* y, Stream stream);
// counts[thread] of one block of 100: how many of the first `live` threads are even (the others return first), whether
// any is `live` - 1, whether all are below `live`.
LaunchResult CountBarrier(int live, int* counts, Stream stream);

// y[i] = x[i] for `tiles` tiles of 512 floats through two buffers of asynchronous copies; only `count` floats of x
// exist, the rest of y becomes 0.
LaunchResult CopyThroughShared(const float* x, std::int64_t count, int tiles, float* y, Stream stream);

// Results of the integer and conversion intrinsics on (a, b): [kIntrinsics].
inline constexpr int kIntrinsics = 24;
LaunchResult Intrinsics(unsigned a, unsigned b, float x, unsigned* y, Stream stream);

// sum, max and inc are one counter each; order-free results of 1,024 atomic operations.
struct AtomicCounters {
  int sum;
  unsigned max, inc;
  float float_sum;
  unsigned long long exchanged_or;
  int swaps;
};
LaunchResult Atomics(AtomicCounters* counters, Stream stream);

// y[0] = the sum of x [blocks * 256], by the block that is done last; *arrived is 0 before and after.
LaunchResult SumByLastBlock(const float* x, int blocks, float* parts, unsigned* arrived, float* y, Stream stream);

// y[i] = x[i] + 1 and z[i] = y[i] * 2, by two kernels of which the second may start early.
LaunchResult TwoOverlapping(const float* x, int count, float* y, float* z, Stream stream);

// Where each thread of a three-dimensional launch stands, and whether its dynamic shared memory is aligned to 1,024.
LaunchResult Places(unsigned* y, Stream stream);
inline constexpr unsigned kPlaces[6] = {3, 2, 2, 4, 3, 2};  // grid, block

// *y = 1, by one block of this size; a card may refuse it.
LaunchResult StoreOne(unsigned threads, unsigned shared_bytes, unsigned* y, Stream stream);

}  // namespace kernels::gpu
