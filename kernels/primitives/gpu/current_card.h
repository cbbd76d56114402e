#pragma once

#include "kernels/primitives/gpu/device.h"

namespace kernels::gpu {

// What a launcher asks of the calling thread's card: each a look into the runtime's tables, fit for every launch.
struct CurrentCard {
  int capability = 0;  // major * 10 + minor
  int multiprocessors = 1;
  int shared_bytes_max = 0;  // of a block
};

inline CurrentCard FindCurrentCard() {
#if defined(GPU_EMULATOR)
  // It runs every instruction that a kernel of this project uses.
  return {90, 4, static_cast<int>(emulator::SharedLimit())};
#else
  CurrentCard card{};
  int ordinal = 0, major = 0, minor = 0;
  if (cudaGetDevice(&ordinal) != cudaSuccess ||
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal) != cudaSuccess ||
      cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal) != cudaSuccess ||
      cudaDeviceGetAttribute(&card.multiprocessors, cudaDevAttrMultiProcessorCount, ordinal) != cudaSuccess ||
      cudaDeviceGetAttribute(&card.shared_bytes_max, cudaDevAttrMaxSharedMemoryPerBlockOptin, ordinal) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());  // nobody else is to find it
    return {};
  }
  card.capability = major * 10 + minor;
  return card;
#endif
}

}  // namespace kernels::gpu
