#pragma once

#include "kernels/primitives/gpu/device.h"

namespace kernels::gpu {

// Matrix instructions of one warp (PTX ISA 9.0, "Warp-level Matrix Instructions"); all 32 lanes must call. With
// group = lane / 4 and pair = lane % 4, a lane holds
//   A [16][16] row-major, 16-bit: a[0] = (group, 2 pair), a[1] = (group + 8, 2 pair), a[2] = (group, 2 pair + 8),
//                                 a[3] = (group + 8, 2 pair + 8), each with its right neighbour in the high half
//   B [16][8], 16-bit:            b[0] = rows 2 pair, 2 pair + 1 of column group; b[1] = rows 2 pair + 8, + 9
//   D [16][8], F32:               d[0], d[1] = (group, 2 pair), (group, 2 pair + 1); d[2], d[3] = the same of row group
//   + 8
//
// D += A B, products exact, sums in F32.
__device__ __forceinline__ void MmaBf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if defined(GPU_EMULATOR)
  emulator::MmaBf16(d, a, b);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// d = a b + start; the starting values may serve several products without being copied.
__device__ __forceinline__ void MmaBf16From(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                                            const float (&start)[4]) {
#if defined(GPU_EMULATOR)
  for (int i = 0; i < 4; ++i) d[i] = start[i];
  emulator::MmaBf16(d, a, b);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%10, %11, %12, %13};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(start[0]), "f"(start[1]), "f"(start[2]),
        "f"(start[3]));
#endif
}

// The same with IEEE half precision in A and B.
__device__ __forceinline__ void MmaF16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if defined(GPU_EMULATOR)
  emulator::MmaF16(d, a, b);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// Loads four 8 x 8 matrices of 16-bit values from shared memory (ldmatrix.x4). Lane l gives the address, a multiple of
// 16, of row l % 8 of matrix l / 8; r[i] receives of matrix i the values (group, 2 pair) and (group, 2 pair + 1).
// Transposed: the values (2 pair, group) and (2 pair + 1, group).
__device__ __forceinline__ void LoadMatrix4(std::uint32_t (&r)[4], const void* shared_row) {
#if defined(GPU_EMULATOR)
  emulator::LoadMatrix4(r, shared_row, /*transposed=*/false);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared_row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
#endif
}
__device__ __forceinline__ void LoadMatrix4Transposed(std::uint32_t (&r)[4], const void* shared_row) {
#if defined(GPU_EMULATOR)
  emulator::LoadMatrix4(r, shared_row, /*transposed=*/true);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared_row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
#endif
}

}  // namespace kernels::gpu
