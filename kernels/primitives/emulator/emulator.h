#pragma once

#include <cstdint>
#include <functional>
#include <tuple>
#include <type_traits>

#include "kernels/primitives/emulator/cuda_vectors.h"
#include "kernels/primitives/gpu/launch_result.h"

// Where the running thread stands; CUDA's built-in variables. Set before a thread goes on.
extern constinit thread_local uint3 threadIdx;
extern constinit thread_local uint3 blockIdx;
extern constinit thread_local dim3 blockDim;
extern constinit thread_local dim3 gridDim;

// Runs kernels on the CPU. Every thread of a block is a fiber with a stack of its own; the blocks of a grid run one
// after another on the thread that launched. A fiber runs until it waits (at a barrier, a warp collective), so what
// lies between two of those happens at once, in an order that the schedule chooses: a kernel that misses a barrier
// gives other results under another schedule, or no result at all.
//
// What would hang or corrupt on a card ends the process with a message that names grid, block and thread: a barrier
// that some threads never reach, a collective whose lanes never arrive or disagree, a misaligned 16-byte copy, a stack
// that is too small, a block of an overlapping kernel that never waits for the one before it. Shared memory is exactly
// as large as asked for and filled with 0xFF before each block, and device memory is exactly as large too, so that the
// address sanitizer sees a step outside.
//
// Not imitated: speed, the L1 cache's lack of coherence, races inside of one stretch between two waits, and kernels
// that run at the same time: what an overlapping kernel reads before it waits for the one before is already there.
namespace kernels::gpu::emulator {

// The order in which threads and blocks run, and when asynchronous copies happen.
//   0: in order; a copy happens in the wait that its thread cannot do without, as late as a card may
//   1: in reverse; a copy happens at once, as early as a card may
//   others: random, from the seed; each copy either way
// Of the calling thread; the first value is that of the environment variable MESH_EMULATOR_SEED, or 0.
void SetScheduleSeed(std::uint64_t seed);
std::uint64_t ScheduleSeed();

// Allocations beyond this sum fail as they do on a full card; negative: no limit. Of the process.
void SetMemoryLimit(std::int64_t bytes);
std::int64_t MemoryInUse();

// After so many further launches and copies every call fails, as after a kernel's illegal access or when a card is
// lost; negative: never. A graph counts as one launch. Of the process; the first value is that of the environment
// variable MESH_EMULATOR_LOSE_AFTER, or negative.
void LoseDeviceAfter(std::int64_t submissions);
bool DeviceLost();

// After so many further launches and copies one of them fails with `result`, and those behind it succeed again;
// negative: none. What a capture records does not count. Of the process.
void FailOnceAfter(std::int64_t submissions, LaunchResult result);
// The next captures end without a graph for lack of memory. Of the process.
void RefuseGraphs(bool refuse);

// Dynamic shared memory that a block may ask for, as on a card that has less of it; 0: kSharedBytesMax. Of the process.
void SetSharedLimit(unsigned bytes);
unsigned SharedLimit();

// Streams, but for the default one, that were given work since they were last waited for: the work is done, but on a
// card it might not be.
std::int64_t StreamsUnwaited();

inline constexpr unsigned kSharedBytesMax = 227U << 10;   // of a block: Hopper's limit
inline constexpr unsigned kSharedBytesSmall = 99U << 10;  // compute capability 8.6, 8.9 and 12.0
inline constexpr unsigned kThreadsMax = 1024;             // of a block

// -- What device.h and runtime_emulated.cpp are made of ---------------------------------------------------------------

struct Shape {
  dim3 grid, block;
  unsigned shared_bytes;
  bool overlap = false;  // see LaunchShape
};

// Enqueues work: at once, or into the capture that the stream takes part in.
LaunchResult Submit(Stream stream, std::function<LaunchResult()> work);
// Refused for what CUDA refuses to launch.
LaunchResult CheckShape(const Shape& shape);
// Runs `body(arguments)` once for each thread of the grid.
void RunGrid(const Shape& shape, void (*body)(const void*), const void* arguments);

template <typename... Parameters>
LaunchResult Launch(void (*kernel)(Parameters...), const Shape& shape, Stream stream,
                    std::tuple<Parameters...> arguments) {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...), "a kernel's parameters are copied as bytes");
  const LaunchResult checked = CheckShape(shape);
  if (!checked.ok()) return checked;
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> arguments;
  };
  return Submit(stream, [shape, call = Call{kernel, std::move(arguments)}] {
    RunGrid(
        shape,
        [](const void* opaque) {
          const auto& of = *static_cast<const Call*>(opaque);
          std::apply(of.kernel, of.arguments);  // by value: each thread has its own parameters
        },
        &call);
    return LaunchResult::Ok();
  });
}

// Prints the message, the launch's shape and the running thread, and aborts.
[[noreturn]] __attribute__((format(printf, 1, 2))) void Fail(const char* format, ...);

// -- What a kernel calls ----------------------------------------------------------------------------------------------

unsigned char* DynamicSharedMemory();

// The preceding kernel has ended long since; noted, because a block that never asks is a bug on a card.
void WaitForPreviousKernel();

// Lets the other threads of the block run; for a wait in a loop.
void Yield();

// Waits for `threads` threads of the block at barrier `id` (0 .. 15), or for all that have not ended when `threads` is
// 0. Returns how many came with `predicate`; `name` must be the same for all.
unsigned Barrier(const char* name, unsigned id, unsigned threads, bool predicate);

// Waits until every lane of `mask` that has not ended is here with the same mask and operation; then `operation` runs
// once over the arguments of the lanes that came: nullptr for the others. Every warp instruction is made of this.
using WarpOperation = void (*)(void* const (&lanes)[32], unsigned arrived);
void WarpCollective(const char* name, unsigned mask, WarpOperation operation, void* argument);

// The lane's number in its warp.
unsigned Lane();

void CopyAsync16(void* shared, const void* global, bool take);
void CopyAsyncCommit();
void CopyAsyncWait(int unfinished);

void MmaBf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);
void MmaF16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]);
void LoadMatrix4(std::uint32_t (&r)[4], const void* shared_row, bool transposed);

inline void CheckAligned(const void* address, std::size_t alignment, const char* what) {
  if ((reinterpret_cast<std::uintptr_t>(address) & (alignment - 1)) != 0) {
    Fail("%s: address %p is not a multiple of %zu", what, address, alignment);
  }
}

}  // namespace kernels::gpu::emulator
