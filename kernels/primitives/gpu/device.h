#pragma once

// What every .cu file of this project includes: CUDA's language, or the emulator's stand-in for it, so that the same
// kernel source runs on a card and, compiled as C++ with GPU_EMULATOR defined, on any machine (see ../emulator).
//
// Rules for kernels that keep both true
// - Enqueue with Launch below, never with <<< >>>.
// - Static shared memory: `GPU_SHARED float tile[32];`. Dynamic: `auto* bytes = DynamicShared();`.
// - Collectives name their lanes: __shfl_xor_sync(kAllLanes, ...), never __activemask.
// - Blocks are independent: no block waits for another (an atomic counter that tells the last block done is fine).
// - PTX lives in kernels/primitives/gpu only (mma.h, async_copy.h, ...), each instruction beside its scalar twin.
#if defined(GPU_EMULATOR)
#include "kernels/primitives/emulator/cuda_language.h"
#else
#include <cuda_runtime.h>
#define GPU_SHARED __shared__
#endif

#include <cstdint>
#include <utility>

#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/primitives/gpu/launch_errors.h"
#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

inline constexpr unsigned kAllLanes = 0xFFFFFFFFU;
inline constexpr int kWarpLanes = 32;

// Grid, block and shared memory of a launch. `overlap`: the kernel may start while its predecessor in the stream still
// runs (programmatic dependent launch, compute capability 9.0); it must call WaitForPreviousKernel before it touches
// anything that an earlier kernel wrote or still reads, and on every way to its end: the kernel after it waits for this
// one alone, and would run beside the one before.
struct LaunchShape {
  dim3 grid;
  dim3 block;
  unsigned shared_bytes = 0;  // dynamic
  bool overlap = false;
};

#if defined(GPU_EMULATOR)

template <typename... Parameters, typename... Arguments>
LaunchResult Launch(void (*kernel)(Parameters...), const LaunchShape& shape, Stream stream, Arguments&&... arguments) {
  return emulator::Launch(kernel, {shape.grid, shape.block, shape.shared_bytes, shape.overlap}, stream,
                          std::tuple<Parameters...>(static_cast<Parameters>(std::forward<Arguments>(arguments))...));
}

#else

// What CUDA returned. An error is also taken from the thread's "last error", where a later caller would find it.
inline LaunchResult ResultOf(cudaError_t error) {
  if (error == cudaSuccess) return LaunchResult::Ok();
  static_cast<void>(cudaGetLastError());
  switch (error) {
    case cudaErrorMemoryAllocation:
      return LaunchResult::NoMemory("out of device memory");
    case cudaErrorInvalidValue:
    case cudaErrorInvalidConfiguration:
    case cudaErrorLaunchOutOfResources:
      return LaunchResult::Refused(cudaGetErrorName(error));
    case cudaErrorNoKernelImageForDevice:
      return LaunchResult::Refused(kNoKernelImage);
    case cudaErrorInvalidDeviceFunction:
      return LaunchResult::Refused(kNoSuchFunction);
    case cudaErrorUnsupportedPtxVersion:
      return LaunchResult::Refused(kPtxTooNew);
    default:
      return LaunchResult::Failed(cudaGetErrorString(error));
  }
}

// The same of a launch, where more can be said of what the error means.
inline LaunchResult ResultOfLaunch(cudaError_t error) {
  const LaunchResult result = ResultOf(error);
  switch (error) {
    case cudaErrorInvalidValue:
      return LaunchResult::Refused(kInvalidValue);
    case cudaErrorInvalidConfiguration:
      return LaunchResult::Refused(kInvalidConfiguration);
    case cudaErrorLaunchOutOfResources:
      return LaunchResult::Refused(kOutOfResources);
    default:
      return result;
  }
}

template <typename... Parameters, typename... Arguments>
LaunchResult Launch(void (*kernel)(Parameters...), const LaunchShape& shape, Stream stream, Arguments&&... arguments) {
  if (shape.shared_bytes > 48U << 10) {  // more than the default limit must be asked for
    const cudaError_t error =
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(shape.shared_bytes));
    if (error != cudaSuccess) return ResultOfLaunch(error);
  }
  if (shape.overlap) {
    // A multiprocessor changes how it divides its memory between L1 cache and shared memory only when it is idle, so
    // kernels that are to overlap all ask for the same division: as much shared memory as there is.
    const cudaError_t error =
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributePreferredSharedMemoryCarveout,
                             cudaSharedmemCarveoutMaxShared);
    if (error != cudaSuccess) return ResultOfLaunch(error);
  }
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = shape.overlap ? 1 : 0;
  return ResultOfLaunch(
      cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(std::forward<Arguments>(arguments))...));
}

#if defined(__CUDACC__)
__device__ __forceinline__ unsigned char* DynamicShared() {
  extern __shared__ __align__(1024) unsigned char gpu_dynamic_shared[];
  return gpu_dynamic_shared;
}

// Waits until the preceding kernel of the stream has ended and its writes are visible.
__device__ __forceinline__ void WaitForPreviousKernel() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
// The next kernel may be scheduled as soon as every block has said so (or ended); it still waits for this one's writes.
__device__ __forceinline__ void LetNextKernelStart() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
#endif  // __CUDACC__

#endif  // !GPU_EMULATOR

// Ceiling division for grids.
constexpr unsigned BlocksFor(std::int64_t items, std::int64_t per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

}  // namespace kernels::gpu
