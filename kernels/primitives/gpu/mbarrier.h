#pragma once

#include "kernels/primitives/gpu/device.h"

#if defined(GPU_EMULATOR)
#include "kernels/primitives/emulator/warpgroup.h"
#endif

namespace kernels::gpu {

// How warps with different parts hand slots of shared memory to each other (mbarrier, setmaxnreg: compute
// capability 9.0; call only from kernels compiled for it).
//
// A barrier in shared memory goes through phases 0, 1, 2, ...; a phase ends with the arrival number `count`, and the
// next begins. MbarrierWait(barrier, parity) returns once the phase of that parity has ended: with 0 it waits for the
// first phase, while 1 on a new barrier returns at once, as if the phase before the first had ended. What a thread
// wrote before it arrived is visible to whoever has waited.
struct Mbarrier {
  std::uint64_t state;
};

// By one thread; the others may use it after a __syncthreads.
__device__ __forceinline__ void MbarrierInit(Mbarrier* barrier, unsigned count) {
#if defined(GPU_EMULATOR)
  emulator::MbarrierInit(&barrier->state, count);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(barrier));
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address), "r"(count) : "memory");
#endif
}

__device__ __forceinline__ void MbarrierArrive(Mbarrier* barrier) {
#if defined(GPU_EMULATOR)
  emulator::MbarrierArrive(&barrier->state);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(barrier));
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(address) : "memory");
#endif
}

// True where the phase has ended; may wait for a while.
__device__ __forceinline__ bool MbarrierTryWait(Mbarrier* barrier, unsigned parity) {
#if defined(GPU_EMULATOR)
  return emulator::MbarrierTryWait(&barrier->state, parity);
#else
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(barrier));
  std::uint32_t done;
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2;\n"
      "selp.b32 %0, 1, 0, done;\n"
      "}"
      : "=r"(done)
      : "r"(address), "r"(parity)
      : "memory");
  return done != 0;
#endif
}

// A wait that would never end ends the kernel with an error instead of holding the card for ever.
__device__ __forceinline__ void MbarrierWait(Mbarrier* barrier, unsigned parity) {
  constexpr unsigned kTries = 1U << 26;  // seconds; a wait is microseconds
  for (unsigned tries = 0; !MbarrierTryWait(barrier, parity); ++tries) {
    if (tries > kTries) __trap();
  }
}

// Orders this thread's earlier writes to shared memory before what the asynchronous units, wgmma among them, read there
// once another thread has learnt of the writes. By each thread that wrote.
__device__ __forceinline__ void FenceAsyncProxy() {
#if !defined(GPU_EMULATOR)
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
#endif
}

// Gives registers back, and takes more, of the block's share; by every warp of a warpgroup. `kCount`: a multiple of 8.
template <int kCount>
__device__ __forceinline__ void LowerRegisters() {
#if !defined(GPU_EMULATOR)
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kCount));
#endif
}
template <int kCount>
__device__ __forceinline__ void RaiseRegisters() {
#if !defined(GPU_EMULATOR)
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kCount));
#endif
}

}  // namespace kernels::gpu
