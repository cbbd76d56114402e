#pragma once

// CUDA's language as far as this project's kernels use it, for a plain C++ compiler (see ../gpu/device.h).
// Standard headers come first: libstdc++ spells an attribute __noinline__, which becomes a macro below.
#include <math.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/primitives/emulator/cuda_vectors.h"
#include "kernels/primitives/emulator/emulator.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __align__(n) __attribute__((aligned(n)))
#define GPU_SHARED static thread_local  // the blocks of a grid run one after another on one thread

inline constexpr int warpSize = 32;

// Barriers ------------------------------------------------------------------------------------------------------------
inline void __syncthreads() { kernels::gpu::emulator::Barrier("__syncthreads", 0, 0, false); }
inline int __syncthreads_count(int predicate) {
  return static_cast<int>(kernels::gpu::emulator::Barrier("__syncthreads_count", 0, 0, predicate != 0));
}
inline int __syncthreads_or(int predicate) {
  return kernels::gpu::emulator::Barrier("__syncthreads_or", 0, 0, predicate != 0) != 0;
}
inline int __syncthreads_and(int predicate) {
  return kernels::gpu::emulator::Barrier("__syncthreads_and", 0, 0, predicate == 0) == 0;
}
#if defined(__SANITIZE_THREAD__)
inline void __threadfence() { asm volatile("" ::: "memory"); }  // the sanitizer knows no fences; atomics order for it
#else
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
#endif
inline void __threadfence_block() { __threadfence(); }
inline void __threadfence_system() { __threadfence(); }
inline void __nanosleep(unsigned) { kernels::gpu::emulator::Yield(); }
[[noreturn]] inline void __trap() { kernels::gpu::emulator::Fail("__trap"); }
inline long long clock64() { return std::chrono::steady_clock::now().time_since_epoch().count(); }
inline unsigned long long __globaltimer() { return static_cast<unsigned long long>(clock64()); }

// Warp collectives ----------------------------------------------------------------------------------------------------
namespace kernels::gpu::emulator {

inline void SyncWarpOperation(void* const (&)[32], unsigned) {}

struct Shuffled {
  std::uint64_t value;
  unsigned source;  // lane
  std::uint64_t result;
};
// The value of a lane that is not here is undefined: all bits set, a NaN.
inline void ShuffleOperation(void* const (&lanes)[32], unsigned) {
  for (void* lane : lanes) {
    if (lane == nullptr) continue;
    auto* mine = static_cast<Shuffled*>(lane);
    const auto* theirs = static_cast<const Shuffled*>(lanes[mine->source]);
    mine->result = theirs == nullptr ? ~std::uint64_t{0} : theirs->value;
  }
}
template <typename T>
T Shuffle(const char* name, unsigned mask, T value, unsigned source) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "CUDA shuffles 4 and 8 bytes");
  Shuffled shuffled{0, source, 0};
  std::memcpy(&shuffled.value, &value, sizeof(T));
  WarpCollective(name, mask, ShuffleOperation, &shuffled);
  std::memcpy(&value, &shuffled.result, sizeof(T));
  return value;
}
inline void CheckShuffleWidth(int width) {
  if (width < 1 || width > 32 || !std::has_single_bit(static_cast<unsigned>(width))) {
    Fail("a shuffle's width %d is not a power of two up to 32", width);
  }
}

struct Vote {
  bool predicate;
  unsigned ballot;
};
inline void BallotOperation(void* const (&lanes)[32], unsigned) {
  unsigned ballot = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (lanes[lane] != nullptr && static_cast<const Vote*>(lanes[lane])->predicate) ballot |= 1U << lane;
  }
  for (void* lane : lanes) {
    if (lane != nullptr) static_cast<Vote*>(lane)->ballot = ballot;
  }
}
// The lanes that voted yes.
inline unsigned Ballot(const char* name, unsigned mask, bool predicate) {
  Vote vote{predicate, 0};
  WarpCollective(name, mask, BallotOperation, &vote);
  return vote.ballot;
}

template <typename T, T (*kJoin)(T, T)>
void ReduceOperation(void* const (&lanes)[32], unsigned) {
  bool first = true;
  T joined{};
  for (void* lane : lanes) {
    if (lane == nullptr) continue;
    joined = first ? *static_cast<const T*>(lane) : kJoin(joined, *static_cast<const T*>(lane));
    first = false;
  }
  for (void* lane : lanes) {
    if (lane != nullptr) *static_cast<T*>(lane) = joined;
  }
}
template <typename T, T (*kJoin)(T, T)>
T Reduce(const char* name, unsigned mask, T value) {
  WarpCollective(name, mask, ReduceOperation<T, kJoin>, &value);
  return value;
}
template <typename T>
T JoinAdd(T a, T b) {
  return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) + static_cast<std::make_unsigned_t<T>>(b));
}
template <typename T>
T JoinMax(T a, T b) {
  return a < b ? b : a;
}
template <typename T>
T JoinMin(T a, T b) {
  return b < a ? b : a;
}
template <typename T>
T JoinOr(T a, T b) {
  return a | b;
}
template <typename T>
T JoinAnd(T a, T b) {
  return a & b;
}

}  // namespace kernels::gpu::emulator

inline void __syncwarp(unsigned mask = 0xFFFFFFFFU) {
  kernels::gpu::emulator::WarpCollective("__syncwarp", mask, kernels::gpu::emulator::SyncWarpOperation, &mask);
}
template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  kernels::gpu::emulator::CheckShuffleWidth(width);
  const unsigned segment = kernels::gpu::emulator::Lane() & ~static_cast<unsigned>(width - 1);
  return kernels::gpu::emulator::Shuffle("__shfl_sync", mask, value,
                                         segment | (static_cast<unsigned>(source) & static_cast<unsigned>(width - 1)));
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  kernels::gpu::emulator::CheckShuffleWidth(width);
  const unsigned lane = kernels::gpu::emulator::Lane(), in_segment = lane & static_cast<unsigned>(width - 1);
  return kernels::gpu::emulator::Shuffle("__shfl_up_sync", mask, value, delta > in_segment ? lane : lane - delta);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  kernels::gpu::emulator::CheckShuffleWidth(width);
  const unsigned lane = kernels::gpu::emulator::Lane(), in_segment = lane & static_cast<unsigned>(width - 1);
  return kernels::gpu::emulator::Shuffle("__shfl_down_sync", mask, value,
                                         delta >= static_cast<unsigned>(width) - in_segment ? lane : lane + delta);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32) {
  kernels::gpu::emulator::CheckShuffleWidth(width);
  // A source beyond the own segment is allowed only below it (PTX, shfl.bfly: j <= maxLane); otherwise the own value.
  const unsigned lane = kernels::gpu::emulator::Lane(), source = lane ^ (static_cast<unsigned>(lane_mask) & 31U);
  const bool beyond = source > (lane | static_cast<unsigned>(width - 1));
  return kernels::gpu::emulator::Shuffle("__shfl_xor_sync", mask, value, beyond ? lane : source);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  return kernels::gpu::emulator::Ballot("__ballot_sync", mask, predicate != 0);
}
inline int __any_sync(unsigned mask, int predicate) {
  return kernels::gpu::emulator::Ballot("__any_sync", mask, predicate != 0) != 0;
}
inline int __all_sync(unsigned mask, int predicate) {
  return kernels::gpu::emulator::Ballot("__all_sync", mask, predicate == 0) == 0;
}
inline unsigned __activemask() = delete;  // says nothing that a kernel may rely on

#define EMULATOR_REDUCE(name, type, join)                                                                \
  inline type name(unsigned mask, type value) {                                                          \
    return kernels::gpu::emulator::Reduce<type, kernels::gpu::emulator::join<type>>(#name, mask, value); \
  }
EMULATOR_REDUCE(__reduce_add_sync, int, JoinAdd)
EMULATOR_REDUCE(__reduce_add_sync, unsigned, JoinAdd)
EMULATOR_REDUCE(__reduce_max_sync, int, JoinMax)
EMULATOR_REDUCE(__reduce_max_sync, unsigned, JoinMax)
EMULATOR_REDUCE(__reduce_min_sync, int, JoinMin)
EMULATOR_REDUCE(__reduce_min_sync, unsigned, JoinMin)
EMULATOR_REDUCE(__reduce_or_sync, unsigned, JoinOr)
EMULATOR_REDUCE(__reduce_and_sync, unsigned, JoinAnd)
#undef EMULATOR_REDUCE

#include "kernels/primitives/emulator/cuda_math.h"
#include "kernels/primitives/emulator/cuda_memory.h"

namespace kernels::gpu {

inline unsigned char* DynamicShared() { return emulator::DynamicSharedMemory(); }
inline void WaitForPreviousKernel() { emulator::WaitForPreviousKernel(); }
inline void LetNextKernelStart() {}

}  // namespace kernels::gpu
