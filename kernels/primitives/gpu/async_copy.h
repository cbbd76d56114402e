#pragma once

#include "kernels/primitives/gpu/device.h"

namespace kernels::gpu {

// Copies from global to shared memory that run while the thread goes on (cp.async, compute capability 8.0):
//   CopyAsync16 ... ; CopyAsyncCommit() closes a group; CopyAsyncWait<N>() waits until at most N groups are unfinished.
// A thread sees its own copies after the wait, the other threads' after a __syncthreads that follows it.
//
// Copies 16 bytes past the L1 cache; both addresses are multiples of 16. With `take` false the 16 bytes become zero and
// `global` is not read. kL2Bytes: how much of what lies around them the L2 cache is asked to fetch along: 0 (no wish),
// 128 or 256.
template <int kL2Bytes = 0>
__device__ __forceinline__ void CopyAsync16(void* shared, const void* global, bool take = true) {
  static_assert(kL2Bytes == 0 || kL2Bytes == 128 || kL2Bytes == 256);
#if defined(GPU_EMULATOR)
  emulator::CopyAsync16(shared, global, take);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  const int bytes = take ? 16 : 0;
  if constexpr (kL2Bytes == 256) {
    asm volatile("cp.async.cg.shared.global.L2::256B [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(bytes)
                 : "memory");
  } else if constexpr (kL2Bytes == 128) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(bytes)
                 : "memory");
  } else {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(bytes) : "memory");
  }
#endif
}

// The same for a stream of which the next lane or the next copy takes the rest of the 128-byte line: asks the L2 cache
// to fetch the line whole.
__device__ __forceinline__ void CopyAsync16OfLine(void* shared, const void* global, bool take = true) {
  CopyAsync16<128>(shared, global, take);
}

__device__ __forceinline__ void CopyAsyncCommit() {
#if defined(GPU_EMULATOR)
  emulator::CopyAsyncCommit();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

template <int kUnfinished>
__device__ __forceinline__ void CopyAsyncWait() {
#if defined(GPU_EMULATOR)
  emulator::CopyAsyncWait(kUnfinished);
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(kUnfinished) : "memory");
#endif
}

}  // namespace kernels::gpu
