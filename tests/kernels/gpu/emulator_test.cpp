#include "tests/kernels/gpu/gpu_test.h"

// What the emulator does that a card does not: it says where a bug is, and shows races. (That its instructions do what
// a card's do is the business of instructions_test.cpp.)
#if defined(GPU_EMULATOR)

#include <chrono>
#include <set>
#include <string>
#include <thread>

#include "kernels/primitives/gpu/async_copy.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/mma.h"
#include "kernels/primitives/gpu/warp.h"

// The thread sanitizer reports a deliberate race, as it should.
#if defined(__SANITIZE_THREAD__)
#define SKIP_WHERE_RACES_ARE_FOUND() GTEST_SKIP()
#else
#define SKIP_WHERE_RACES_ARE_FOUND() static_cast<void>(0)
#endif

namespace kernels::gpu {
namespace {

// In order, because the messages name the first block and thread; the tests that follow have their own order again.
class EmulatorTest : public GpuTest {
 protected:
  EmulatorTest() { emulator::SetScheduleSeed(0); }
  ~EmulatorTest() override { emulator::SetScheduleSeed(seed_of_all_); }

 private:
  const std::uint64_t seed_of_all_ = emulator::ScheduleSeed();
};
// A death test forks; other threads of the process would be lost in the child.
class EmulatorDeathTest : public EmulatorTest {};

template <typename... Parameters, typename... Arguments>
void MustLaunch(void (*kernel)(Parameters...), const LaunchShape& shape, Arguments... arguments) {
  const LaunchResult result = Launch(kernel, shape, nullptr, arguments...);
  EXPECT_TRUE(result.ok()) << result.message();
}

// Bugs that end the process
// --------------------------------------------------------------------------------------------

void HalfReachTheBarrier(int) {
  if (threadIdx.x < 16) {
    __syncwarp(0xFFFFU);
  } else {
    __syncwarp(0xFFFF0000U);
    __syncthreads();
  }
  if (threadIdx.x < 16) __shfl_sync(kAllLanes, 1, 0);
}

TEST_F(EmulatorDeathTest, ABarrierThatSomeThreadsNeverReachIsADeadlock) {
  EXPECT_DEATH(MustLaunch(HalfReachTheBarrier, {.grid = dim3(2, 3), .block = 32}, 0),
               "deadlock.*\n.*from thread .0, 0, 0.: __shfl_sync\n.*from thread .16, 0, 0.: __syncthreads\n"
               ".*lanes 0xffff0000 never came\n(.*\n)*.*grid .2, 3, 1., block .32, 1, 1.(.*\n).*in block .0, 0, 0.");
}

void LanesDisagree(int) {
  if (threadIdx.x == 3) {
    __ballot_sync(kAllLanes, 1);
  } else {
    __shfl_sync(kAllLanes, 1, 0);
  }
}
void LaneIsNotInItsMask(int) { __shfl_sync(0x7FFFFFFFU, 1, 0); }
void BarriersDisagree(int) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads_or(1);
  }
}
void ProductOfHalfAWarp(int) {
  if (threadIdx.x < 16) return;
  float d[4] = {};
  MmaBf16(d, {0, 0, 0, 0}, {0, 0});
}

TEST_F(EmulatorDeathTest, CollectivesWhoseThreadsDisagreeAreNamed) {
  EXPECT_DEATH(MustLaunch(LanesDisagree, {.grid = 1, .block = 32}, 0),
               "lanes disagree: __ballot_sync.*lanes 0x00000007 wait at __shfl_sync(.*\n)*.*thread .3, 0, 0.");
  EXPECT_DEATH(MustLaunch(LaneIsNotInItsMask, {.grid = 1, .block = 32}, 0), "leaves out the calling lane 31");
  EXPECT_DEATH(MustLaunch(BarriersDisagree, {.grid = 1, .block = 64}, 0),
               "__syncthreads_or .*others wait with __syncthreads ");
  EXPECT_DEATH(MustLaunch(ProductOfHalfAWarp, {.grid = 1, .block = 32}, 0), "mma.sync: only lanes 0xffff0000");
}

void CopiesFromOddAddress(const char* x) { CopyAsync16(DynamicShared(), x + 8); }
void LoadsMatrixFromOddAddress(int) {
  std::uint32_t r[4];
  LoadMatrix4(r, DynamicShared() + 4);
}
void LoadsUnaligned(const float* x) { static_cast<void>(__ldg(reinterpret_cast<const float4*>(x + 1))); }

TEST_F(EmulatorDeathTest, MisalignedAccessIsNamed) {
  const DeviceArray<char> x(64);
  EXPECT_DEATH(MustLaunch(CopiesFromOddAddress, {.grid = 1, .block = 1, .shared_bytes = 16}, x.get()),
               "cp.async from global memory: .* not a multiple of 16");
  EXPECT_DEATH(MustLaunch(LoadsMatrixFromOddAddress, {.grid = 1, .block = 32, .shared_bytes = 64}, 0),
               "ldmatrix: .*16");
  const DeviceArray<float> floats(8);
  EXPECT_DEATH(MustLaunch(LoadsUnaligned, {.grid = 1, .block = 1}, floats.get()), "__ldg: .* not a multiple of 16");
}

#if defined(__SANITIZE_ADDRESS__)
void WritesBehindShared(int) { DynamicShared()[threadIdx.x] = 1; }
void ReadsBehindGlobal(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }

TEST_F(EmulatorDeathTest, AStepOutsideOfMemoryIsSeenByTheSanitizer) {
  MustLaunch(WritesBehindShared, {.grid = 1, .block = 100, .shared_bytes = 100}, 0);
  EXPECT_DEATH(MustLaunch(WritesBehindShared, {.grid = 1, .block = 101, .shared_bytes = 100}, 0),
               "heap-buffer-overflow");
  const DeviceArray<float> x(31), y(32);
  EXPECT_DEATH(MustLaunch(ReadsBehindGlobal, {.grid = 1, .block = 32}, x.get(), y.get()), "heap-buffer-overflow");
}
#endif

// Blocks from `first` on end without it.
void WaitsForPreviousBelow(unsigned first, int* y) {
  if (blockIdx.x >= first) return;
  if (threadIdx.x == 0) WaitForPreviousKernel();
  __syncthreads();
  y[blockIdx.x * blockDim.x + threadIdx.x] = 1;
}

TEST_F(EmulatorDeathTest, ABlockOfAnOverlappingKernelMustWaitForThePreviousOne) {
  const DeviceArray<int> y(3 * 64);
  MustLaunch(WaitsForPreviousBelow, {.grid = 3, .block = 64, .overlap = true}, 3U, y.get());
  MustLaunch(WaitsForPreviousBelow, {.grid = 3, .block = 64, .overlap = false}, 0U, y.get());
  EXPECT_DEATH(MustLaunch(WaitsForPreviousBelow, {.grid = 3, .block = 64, .overlap = true}, 2U, y.get()),
               "overlapping kernel ended without WaitForPreviousKernel(.*\n)*.*in block .2, 0, 0.");
  // In a graph too, which keeps the launch's shape.
  Stream stream = nullptr;
  ASSERT_LAUNCHED(CreateStream(&stream));
  Graph graph = nullptr;
  ASSERT_LAUNCHED(BeginCapture(stream));
  ASSERT_LAUNCHED(Launch(WaitsForPreviousBelow, {.grid = 1, .block = 64, .overlap = true}, stream, 0U, y.get()));
  ASSERT_LAUNCHED(EndCapture(stream, &graph));
  EXPECT_DEATH(static_cast<void>(StartGraph(graph, stream)), "ended without WaitForPreviousKernel");
  DestroyGraph(graph);
  DestroyStream(stream);
}

TEST_F(EmulatorDeathTest, FreeingWhatIsNotAllocatedIsABug) {
  int on_the_stack = 0;
  EXPECT_DEATH(Free(&on_the_stack), "Free of .*, which Allocate did not give");
}

// Launches that CUDA refuses
// -------------------------------------------------------------------------------------------

void DoNothing(int) {}

TEST_F(EmulatorTest, RefusesTheShapesThatCudaRefuses) {
  const LaunchShape refused[] = {{.grid = 0, .block = 32},
                                 {.grid = 1, .block = 0},
                                 {.grid = 1, .block = 1025},
                                 {.grid = 1, .block = dim3(32, 33)},
                                 {.grid = 1, .block = dim3(1, 1, 65)},
                                 {.grid = dim3(1, 65536), .block = 1},
                                 {.grid = 0x80000000U, .block = 1}};
  for (const LaunchShape& shape : refused) {
    const LaunchResult result = Launch(DoNothing, shape, nullptr, 0);
    EXPECT_EQ(result.code(), LaunchResult::Code::kRefused);
    EXPECT_EQ(std::string(result.message()).find("cudaErrorInvalidConfiguration: "), 0U) << result.message();
  }
  const LaunchResult result = Launch(DoNothing, {.grid = 1, .block = 1, .shared_bytes = (227U << 10) + 1}, nullptr, 0);
  EXPECT_EQ(result.code(), LaunchResult::Code::kRefused);
  EXPECT_EQ(std::string(result.message()).find("cudaErrorInvalidValue: "), 0U) << result.message();
  {
    const SharedMemoryOf small;
    const LaunchResult more = Launch(DoNothing, {.grid = 1, .block = 1, .shared_bytes = (99U << 10) + 1}, nullptr, 0);
    EXPECT_EQ(more.code(), LaunchResult::Code::kRefused);
    ASSERT_LAUNCHED(Launch(DoNothing, {.grid = 1, .block = 1, .shared_bytes = 99U << 10}, nullptr, 0));
    DeviceInfo info;
    ASSERT_LAUNCHED(FindDevice(0, &info));
    EXPECT_EQ(info.shared_bytes_max, 99 << 10);
  }
  ASSERT_LAUNCHED(Launch(DoNothing, {.grid = 65535, .block = dim3(1, 1, 1)}, nullptr, 0));
  ASSERT_LAUNCHED(Launch(DoNothing, {.grid = 1, .block = dim3(16, 1, 64), .shared_bytes = 227U << 10}, nullptr, 0));
}

// Schedules
// ------------------------------------------------------------------------------------------------------------

// A correct kernel but for one barrier: each thread reads its neighbour's value.
template <bool kWithBarrier>
void ReadNeighbour(int* y) {
  GPU_SHARED int values[64];
  values[threadIdx.x] = -1;
  __syncthreads();
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  if constexpr (kWithBarrier) __syncthreads();
  y[threadIdx.x] = values[(threadIdx.x + 63) % 64];
}

std::set<std::vector<int>> ResultsUnderSchedules(void (*kernel)(int*)) {
  std::set<std::vector<int>> results;
  ForEachSchedule([&] {
    const DeviceArray<int> y(64);
    ASSERT_LAUNCHED(Launch(kernel, {.grid = 1, .block = 64}, nullptr, y.get()));
    results.insert(y.Read());
  });
  return results;
}

TEST_F(EmulatorTest, ARaceGivesOtherResultsUnderAnotherSchedule) {
  SKIP_WHERE_RACES_ARE_FOUND();
  EXPECT_EQ(ResultsUnderSchedules(ReadNeighbour<true>).size(), 1U);
  EXPECT_GT(ResultsUnderSchedules(ReadNeighbour<false>).size(), 1U);
}

// Each block appends its number: blocks of a grid have no order either.
void AppendBlock(unsigned* order) { order[1 + atomicAdd(order, 1U)] = blockIdx.x; }

TEST_F(EmulatorTest, SchedulesPermuteBlocksAndRunEachOnce) {
  std::set<std::vector<unsigned>> orders;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    emulator::SetScheduleSeed(seed);
    const DeviceArray<unsigned> order(std::vector<unsigned>(12));
    ASSERT_LAUNCHED(Launch(AppendBlock, {.grid = 11, .block = 1}, nullptr, order.get()));
    std::vector<unsigned> blocks = order.Read();
    blocks.erase(blocks.begin());
    orders.insert(blocks);
    EXPECT_TRUE(seed != 0 || std::is_sorted(blocks.begin(), blocks.end()));
    EXPECT_TRUE(seed != 1 || std::is_sorted(blocks.rbegin(), blocks.rend()));
    std::sort(blocks.begin(), blocks.end());
    for (unsigned i = 0; i < 11; ++i) EXPECT_EQ(blocks[i], i);
  }
  EXPECT_GT(orders.size(), 8U);
  // The same seed, the same order.
  emulator::SetScheduleSeed(7);
  const DeviceArray<unsigned> first(std::vector<unsigned>(12)), second(std::vector<unsigned>(12));
  ASSERT_LAUNCHED(Launch(AppendBlock, {.grid = 11, .block = 1}, nullptr, first.get()));
  ASSERT_LAUNCHED(Launch(AppendBlock, {.grid = 11, .block = 1}, nullptr, second.get()));
  EXPECT_EQ(first.Read(), second.Read());
}

// A copy of the tile that its thread does not wait for, or waits for without a barrier for the others.
template <bool kWait, bool kBarrier>
void CopyTile(const int* x, int* y) {
  auto* tile = reinterpret_cast<int*>(DynamicShared());
  CopyAsync16(tile + 4 * threadIdx.x, x + 4 * threadIdx.x);
  CopyAsyncCommit();
  if constexpr (kWait) CopyAsyncWait<0>();
  if constexpr (kBarrier) __syncthreads();
  const unsigned other = (threadIdx.x + 1) % 32;
  for (unsigned i = 0; i < 4; ++i) y[4 * other + i] = tile[4 * other + i];
}

TEST_F(EmulatorTest, AnAsynchronousCopyHappensNoEarlierThanItsWait) {
  SKIP_WHERE_RACES_ARE_FOUND();
  std::vector<int> x(128);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int>(i);
  const DeviceArray<int> in(x);
  const auto run = [&](void (*kernel)(const int*, int*)) {
    const DeviceArray<int> out(x.size());
    EXPECT_TRUE(Launch(kernel, {.grid = 1, .block = 32, .shared_bytes = 512}, nullptr, in.get(), out.get()).ok());
    return out.Read();
  };
  EXPECT_EQ(run(CopyTile<true, true>), x);
  EXPECT_EQ(run(CopyTile<false, true>), std::vector<int>(128, -1));  // the poison of shared memory
  EXPECT_NE(run(CopyTile<true, false>), x);
}

void ReadShared(unsigned* y) {
  auto* shared = reinterpret_cast<unsigned*>(DynamicShared());
  y[blockIdx.x] = shared[0];
  shared[0] = 7;
}

TEST_F(EmulatorTest, NoBlockSeesTheSharedMemoryOfAnother) {
  const DeviceArray<unsigned> y(3);
  ASSERT_LAUNCHED(Launch(ReadShared, {.grid = 3, .block = 1, .shared_bytes = 4}, nullptr, y.get()));
  EXPECT_EQ(y.Read(), std::vector<unsigned>(3, 0xFFFFFFFFU));
}

// Thread 0 waits in a loop for what the last one writes.
void WaitForFlag(int* flag) {
  if (threadIdx.x == 0) {
    while (*static_cast<volatile int*>(flag) == 0) __nanosleep(10);
  } else if (threadIdx.x == blockDim.x - 1) {
    atomicExch(flag, 1);
  }
}
// Every thread adds one under a lock.
void AddUnderLock(int* lock_and_sum) {
  while (atomicCAS(lock_and_sum, 0, 1) != 0) {
  }
  const int before = lock_and_sum[1];
  __nanosleep(1);
  lock_and_sum[1] = before + 1;
  atomicExch(lock_and_sum, 0);
}

TEST_F(EmulatorTest, LoopsThatWaitLetTheOthersRun) {
  SKIP_WHERE_RACES_ARE_FOUND();
  ForEachSchedule([&] {
    const DeviceArray<int> flag(std::vector<int>{0});
    ASSERT_LAUNCHED(Launch(WaitForFlag, {.grid = 1, .block = 64}, nullptr, flag.get()));
    const DeviceArray<int> lock_and_sum(std::vector<int>{0, 0});
    ASSERT_LAUNCHED(Launch(AddUnderLock, {.grid = 2, .block = 64}, nullptr, lock_and_sum.get()));
    EXPECT_EQ(lock_and_sum.Read()[1], 128);
  });
}

void SumManyTimes(const float* x, float* y, int times) {
  GPU_SHARED float scratch[32];
  float sum = 0;
  for (int i = 0; i < times; ++i) sum += BlockSum<256>(x[threadIdx.x], scratch);
  if (threadIdx.x == 0) *y = sum;
}

TEST_F(EmulatorTest, ThreadsOfTheProcessEachRunTheirOwnKernels) {
  const DeviceArray<float> x(std::vector<float>(256, 1.0F));
  const DeviceArray<float> first(1), second(1);
  const auto run = [&](float* y) { MustLaunch(SumManyTimes, {.grid = 1, .block = 256}, x.get(), y, 50); };
  std::thread one(run, first.get()), two(run, second.get());
  one.join();
  two.join();
  EXPECT_EQ(first.Read()[0], 256.0F * 50);
  EXPECT_EQ(second.Read()[0], 256.0F * 50);
}

}  // namespace
}  // namespace kernels::gpu

#endif  // GPU_EMULATOR
