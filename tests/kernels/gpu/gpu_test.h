#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/primitives/gpu/runtime.h"
#if defined(GPU_EMULATOR)
#include "kernels/primitives/emulator/emulator.h"
#endif

namespace kernels::gpu {

#define ASSERT_LAUNCHED(call)                                            \
  do {                                                                   \
    const ::kernels::gpu::LaunchResult launched_ = (call);               \
    ASSERT_TRUE(launched_.ok()) << #call << ": " << launched_.message(); \
  } while (false)
// By the launcher itself, which says what it requires, and not by CUDA or the emulator.
#define EXPECT_REFUSED(call)                                                                                 \
  do {                                                                                                       \
    const ::kernels::gpu::LaunchResult refused_ = (call);                                                    \
    EXPECT_EQ(refused_.code(), ::kernels::gpu::LaunchResult::Code::kRefused) << refused_.message();          \
    EXPECT_EQ(std::string(refused_.message()).find("requires "), 0U) << #call << ": " << refused_.message(); \
  } while (false)

// A pointer that is aligned to two bytes and no more.
template <typename T>
T* Misaligned(T* pointer) {
  return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(pointer) + 2);
}

// An array in device memory of exactly the given size, so that the address sanitizer (on the emulator) or
// compute-sanitizer (on a card) sees the first byte beyond it.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count) : count_(count) {
    const LaunchResult result = Allocate(&memory_, count * sizeof(T));
    EXPECT_TRUE(result.ok()) << result.message();
    EXPECT_TRUE(Fill(memory_, 0xFF, count * sizeof(T), nullptr).ok());  // NaN: what is read unwritten shows
    EXPECT_TRUE(Synchronize(Stream{nullptr}).ok());                     // other streams don't wait for the default one
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    EXPECT_TRUE(CopyToDevice(memory_, values.data(), count_ * sizeof(T), nullptr).ok());
    EXPECT_TRUE(Synchronize(Stream{nullptr}).ok());
  }
  ~DeviceArray() { Free(memory_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* get() const { return static_cast<T*>(memory_); }
  std::size_t count() const { return count_; }

  // Waits for the default stream.
  std::vector<T> Read() const {
    std::vector<T> values(count_);
    EXPECT_TRUE(CopyToHost(values.data(), memory_, count_ * sizeof(T), nullptr).ok());
    const LaunchResult result = Synchronize(Stream{nullptr});
    EXPECT_TRUE(result.ok()) << result.message();
    return values;
  }

 private:
  void* memory_ = nullptr;
  std::size_t count_;
};

// Runs the body under several orders of threads and blocks (emulator.h: SetScheduleSeed); once on a card. A kernel that
// misses a barrier or a wait gives other results under one of them: compare the bits with those of the first run.
template <typename Body>
void ForEachSchedule(Body body) {
#if defined(GPU_EMULATOR)
  const std::uint64_t before = emulator::ScheduleSeed();
  for (const std::uint64_t seed : {0U, 1U, 2U, 3U}) {
    SCOPED_TRACE("schedule seed " + std::to_string(seed));
    emulator::SetScheduleSeed(seed);
    body();
  }
  emulator::SetScheduleSeed(before);
#else
  body();
#endif
}

#if defined(GPU_EMULATOR)
// While it lives a block may have no more shared memory than on the cards of `bytes`; usually those of compute
// capability 8.6, 8.9 and 12.0.
class SharedMemoryOf {
 public:
  explicit SharedMemoryOf(unsigned bytes = emulator::kSharedBytesSmall) { emulator::SetSharedLimit(bytes); }
  ~SharedMemoryOf() { emulator::SetSharedLimit(0); }
  SharedMemoryOf(const SharedMemoryOf&) = delete;
  SharedMemoryOf& operator=(const SharedMemoryOf&) = delete;
};
#endif

// Runs on a card or on the emulator, whichever the build links. Sizes are small: the emulator runs about ten million
// simple instructions a second.
class GpuTest : public testing::Test {
 protected:
  std::vector<float> Random(std::size_t count, float scale = 1.0F) {
    std::normal_distribution<float> normal(0.0F, scale);
    std::vector<float> values(count);
    for (float& value : values) value = normal(rng_);
    return values;
  }
  static std::vector<Bf16> ToBf16s(std::span<const float> values) {
    std::vector<Bf16> result;
    for (float value : values) result.push_back(ToBf16(value));
    return result;
  }
  static std::vector<float> ToFloats(std::span<const Bf16> values) {
    std::vector<float> result;
    for (Bf16 value : values) result.push_back(ToFloat(value));
    return result;
  }

  std::mt19937 rng_{20240501};
};

}  // namespace kernels::gpu
