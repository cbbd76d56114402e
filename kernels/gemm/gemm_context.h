#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/gemm_gpu.h"

namespace kernels::gpu {

class CublasLt;  // gemm/cublas_lt.h

// The workspace is cut in two: arrival counters of split sums, zero between products, and room for their partial sums
// (or whatever a product needs while it runs; nothing there outlives it).
inline constexpr std::int32_t kGemmCounters = 16384;
inline constexpr std::size_t kGemmScratchBytes = kGemmWorkspaceBytes - kGemmCounters * sizeof(std::uint32_t);

// Private to kernels/gemm. Owned by the caller of MakeGemmContext; used by one stream at a time, from one thread at a
// time.
class GemmContext {
 public:
  std::uint32_t* counters;        // [kGemmCounters]
  float* scratch;                 // [kGemmScratchBytes / 4], aligned to 256 bytes
  std::int32_t multiprocessors;   // of the current device when the context was made
  std::int32_t shared_bytes_max;  // that a block of it may have: which plans can run
  CublasLt* library;              // nullptr: cuBLASLt can't be had, products of many rows run on kernels of our own
  const char* library_missing;    // why not; nullptr when it is there
};

}  // namespace kernels::gpu
