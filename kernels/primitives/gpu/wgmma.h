#pragma once

#include "kernels/primitives/gpu/device.h"

#if defined(GPU_EMULATOR)
#include "kernels/primitives/emulator/warpgroup.h"
#endif

namespace kernels::gpu {

// Matrix instructions of a warpgroup: four warps, the first a multiple of four (wgmma, PTX ISA 9.0 "Asynchronous
// Warpgroup Level Matrix Instructions"; compute capability 9.0 alone: call only from kernels compiled for sm_90a). They
// run while the threads go on:
//   WgmmaFence(); WgmmaBf16...; WgmmaCommit(); ... WgmmaWait<0>(); WgmmaPin(d);
// Until the wait no register of D or A may be touched, nor the shared memory that they read be written. The fence
// orders what was done to those registers before. Shared memory that threads wrote needs a FenceAsyncProxy by each of
// them.
//
// D [64][N], F32: warp w of the warpgroup holds rows 16 w .. 16 w + 15, each [16][8] of them as primitives/gpu/mma.h
// describes: d[n / 8][i]. A in registers: [16][16] of the warp's rows, likewise.

// Matrices in shared memory lie in rows of 128 bytes, 64 values, with chunk c (of 16 bytes) of row r at place c ^ (r %
// 8): the layout that the 128-byte swizzle expects where the first row's address is a multiple of 1,024. Of wider
// matrices the columns 64 .. 127 lie in a second such array.
__device__ __forceinline__ constexpr int Swizzled128(int row, int chunk) {
  return row * 128 + ((chunk ^ (row & 7)) * 16);
}

// Describes the array that starts at `shared` (or at a column of it that is a multiple of 16).
//   second_array : bytes from the first array to the second, of matrices whose columns are N; others: unused
__device__ __forceinline__ std::uint64_t WgmmaMatrix(const void* shared, unsigned second_array = 16) {
#if defined(GPU_EMULATOR)
  const auto address = static_cast<std::uint32_t>(static_cast<const unsigned char*>(shared) - DynamicShared());
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
#endif
  constexpr std::uint64_t kSwizzle128 = std::uint64_t{1} << 62;
  constexpr std::uint64_t kStride = std::uint64_t{1024 >> 4} << 32;  // bytes from 8 rows to the next 8
  return kSwizzle128 | kStride | std::uint64_t{(second_array & 0x3FFFFU) >> 4} << 16 | (address & 0x3FFFFU) >> 4;
}
// The matrix `bytes` further: a multiple of 16 that stays within the shared memory.
__device__ __forceinline__ std::uint64_t WgmmaMatrixAt(std::uint64_t matrix, int bytes) {
  return matrix + static_cast<std::uint64_t>(bytes / 16);
}

__device__ __forceinline__ void WgmmaFence() {
#if !defined(GPU_EMULATOR)
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

__device__ __forceinline__ void WgmmaCommit() {
#if defined(GPU_EMULATOR)
  emulator::WgmmaCommit();
#else
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

// Waits until at most kUnfinished committed groups are unfinished.
template <int kUnfinished>
__device__ __forceinline__ void WgmmaWait() {
#if defined(GPU_EMULATOR)
  emulator::WgmmaWait(kUnfinished);
#else
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kUnfinished) : "memory");
#endif
}

// Keeps the next wait behind the arithmetic that `value` comes from; REQUIRES: value is not negative. ptxas moves a
// wait up as far as registers allow, ahead of what was meant to run under the products, but not across a branch: this
// is one that is never taken.
__device__ __forceinline__ void WgmmaHoldWait([[maybe_unused]] float value) {
#if !defined(GPU_EMULATOR)
  if (value < 0.0F) asm volatile("nanosleep.u32 0;" ::: "memory");
#endif
}

// Keeps the compiler from moving uses of D across the place of the call: it does not know that the wait concerns them.
template <int kTiles>
__device__ __forceinline__ void WgmmaPin([[maybe_unused]] float (&d)[kTiles][4]) {
#if !defined(GPU_EMULATOR)
#pragma unroll
  for (int n = 0; n < kTiles; ++n) {
    asm volatile("" : "+f"(d[n][0]), "+f"(d[n][1]), "+f"(d[n][2]), "+f"(d[n][3])::"memory");
  }
#endif
}

#if !defined(GPU_EMULATOR)
#define GPU_WGMMA_TILE(n) "+f"(d[n][0]), "+f"(d[n][1]), "+f"(d[n][2]), "+f"(d[n][3])
#define GPU_WGMMA_TILES(n)                                                                                       \
  GPU_WGMMA_TILE(n), GPU_WGMMA_TILE(n + 1), GPU_WGMMA_TILE(n + 2), GPU_WGMMA_TILE(n + 3), GPU_WGMMA_TILE(n + 4), \
      GPU_WGMMA_TILE(n + 5), GPU_WGMMA_TILE(n + 6), GPU_WGMMA_TILE(n + 7)
#define GPU_WGMMA_D32                                                                                    \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, " \
  "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define GPU_WGMMA_D64                                                                                           \
  GPU_WGMMA_D32                                                                                                 \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, " \
  "%53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#endif

// D = A B^T, or D += A B^T with `add`: A [64][16] and B [N][16] in shared memory, a row of either being a row there.
template <int kTiles>
__device__ __forceinline__ void WgmmaBf16(float (&d)[kTiles][4], std::uint64_t a, std::uint64_t b, bool add) {
  static_assert(kTiles == 8 || kTiles == 16, "N is 64 or 128");
#if defined(GPU_EMULATOR)
  emulator::WgmmaBf16(&d[0][0], kTiles, nullptr, a, b, /*b_transposed=*/false, add);
#else
  const int flag = add ? 1 : 0;
  if constexpr (kTiles == 16) {
    asm volatile(
        "{\n.reg .pred add;\nsetp.ne.b32 add, %66, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" GPU_WGMMA_D64 "}, %64, %65, add, 1, 1, 0, 0;\n}"
        : GPU_WGMMA_TILES(0), GPU_WGMMA_TILES(8)
        : "l"(a), "l"(b), "r"(flag));
  } else {
    asm volatile(
        "{\n.reg .pred add;\nsetp.ne.b32 add, %34, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" GPU_WGMMA_D32 "}, %32, %33, add, 1, 1, 0, 0;\n}"
        : GPU_WGMMA_TILES(0)
        : "l"(a), "l"(b), "r"(flag));
  }
#endif
}

// D += A B: A [64][16] in registers, B [16][N] in shared memory, a row of B being a row there (the transposed mode: the
// instruction calls it N-major).
template <int kTiles>
__device__ __forceinline__ void WgmmaBf16(float (&d)[kTiles][4], const std::uint32_t (&a)[4], std::uint64_t b) {
  static_assert(kTiles == 8 || kTiles == 16, "N is 64 or 128");
#if defined(GPU_EMULATOR)
  emulator::WgmmaBf16(&d[0][0], kTiles, a, 0, b, /*b_transposed=*/true, /*add=*/true);
#else
  if constexpr (kTiles == 16) {
    asm volatile(
        "{\n.reg .pred add;\nsetp.ne.b32 add, %69, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" GPU_WGMMA_D64
        "}, {%64, %65, %66, %67}, %68, add, 1, 1, 1;\n}"
        : GPU_WGMMA_TILES(0), GPU_WGMMA_TILES(8)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1));
  } else {
    asm volatile(
        "{\n.reg .pred add;\nsetp.ne.b32 add, %37, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" GPU_WGMMA_D32
        "}, {%32, %33, %34, %35}, %36, add, 1, 1, 1;\n}"
        : GPU_WGMMA_TILES(0)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(1));
  }
#endif
}

}  // namespace kernels::gpu
