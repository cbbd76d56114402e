#include "kernels/primitives/gpu/runtime.h"

#include <cmath>
#include <cstring>
#include <string>
#include <thread>
#include <utility>

#include "kernels/primitives/gpu/random_fill_gpu.h"
#include "tests/kernels/gpu/gpu_test.h"
#include "tests/kernels/gpu/instruction_kernels.h"

namespace kernels::gpu {
namespace {

class RuntimeTest : public GpuTest {
 protected:
  RuntimeTest() { EXPECT_TRUE(CreateStream(&stream_).ok()); }
  ~RuntimeTest() override { DestroyStream(stream_); }

  Stream stream_ = nullptr;
};

TEST_F(RuntimeTest, TheDeviceSaysWhatItIs) {
  DeviceInfo info;
  ASSERT_LAUNCHED(FindDevice(0, &info));
  EXPECT_GT(std::strlen(info.name), 0U);
  EXPECT_GE(info.capability, 80);
  EXPECT_GT(info.multiprocessors, 0);
  EXPECT_GE(info.shared_bytes_max, 99 << 10);
  EXPECT_GT(info.memory_bytes, 0);
  EXPECT_LE(info.memory_free_bytes, info.memory_bytes);
  ASSERT_LAUNCHED(SetDevice(0));
}

TEST_F(RuntimeTest, ADeviceThatDoesNotExistIsNamed) {
  std::int32_t count;
  ASSERT_LAUNCHED(DeviceCount(&count));
  DeviceInfo info;
  for (const std::int32_t ordinal : {count, -1}) {
    const LaunchResult result = FindDevice(ordinal, &info);
    EXPECT_EQ(result.code(), LaunchResult::Code::kNoDevice);
    EXPECT_NE(std::string(result.message()).find("no"), std::string::npos) << result.message();
  }
}

TEST_F(RuntimeTest, BytesComeBackAsTheyWent) {
  std::vector<std::uint32_t> values(10'007);
  for (std::uint32_t& value : values) value = static_cast<std::uint32_t>(rng_());
  const std::size_t bytes = values.size() * sizeof(std::uint32_t);
  void *device = nullptr, *copy = nullptr, *pinned = nullptr;
  ASSERT_LAUNCHED(Allocate(&device, bytes));
  ASSERT_LAUNCHED(Allocate(&copy, bytes));
  ASSERT_LAUNCHED(AllocatePinned(&pinned, bytes));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(device) % 256, 0U);
  std::memcpy(pinned, values.data(), bytes);
  ASSERT_LAUNCHED(CopyToDevice(device, pinned, bytes, stream_));
  ASSERT_LAUNCHED(CopyOnDevice(copy, device, bytes, stream_));
  ASSERT_LAUNCHED(Fill(device, 0xA5, bytes, stream_));
  std::vector<std::uint32_t> back(values.size()), filled(values.size());
  ASSERT_LAUNCHED(CopyToHost(back.data(), copy, bytes, stream_));
  ASSERT_LAUNCHED(CopyToHost(filled.data(), device, bytes, stream_));
  ASSERT_LAUNCHED(Synchronize(stream_));
  EXPECT_EQ(back, values);
  EXPECT_EQ(filled, std::vector<std::uint32_t>(values.size(), 0xA5A5A5A5U));
  Free(device);
  Free(copy);
  FreePinned(pinned);
}

TEST_F(RuntimeTest, NothingIsAllocatedCopiedAndFreedWithoutAnError) {
  void* memory = &memory;
  ASSERT_LAUNCHED(Allocate(&memory, 0));
  ASSERT_LAUNCHED(CopyToDevice(nullptr, nullptr, 0, stream_));
  ASSERT_LAUNCHED(Fill(nullptr, 0, 0, stream_));
  ASSERT_LAUNCHED(Synchronize(stream_));
  Free(memory);
  Free(nullptr);
  FreePinned(nullptr);
}

TEST_F(RuntimeTest, MemoryThatIsNotThereIsNoMemory) {
#if defined(GPU_EMULATOR)
  emulator::SetMemoryLimit(emulator::MemoryInUse() + 1000);
  void* first = nullptr;
  ASSERT_LAUNCHED(Allocate(&first, 600));
#endif
  void* memory = &memory;
  const LaunchResult result = Allocate(&memory, std::size_t{1} << 46);
  EXPECT_EQ(result.code(), LaunchResult::Code::kNoMemory) << result.message();
  EXPECT_EQ(memory, nullptr);
  EXPECT_NE(std::string(result.message()).find("out of device memory"), std::string::npos);
#if defined(GPU_EMULATOR)
  EXPECT_EQ(Allocate(&memory, 401).code(), LaunchResult::Code::kNoMemory);
  Free(first);
  ASSERT_LAUNCHED(Allocate(&memory, 1000));
  Free(memory);
  emulator::SetMemoryLimit(-1);
#endif
  // The device goes on as before.
  const DeviceArray<int> ints(std::vector<int>{1, 2});
  EXPECT_EQ(ints.Read(), (std::vector<int>{1, 2}));
}

TEST_F(RuntimeTest, EventsOrderStreamsAndKeepTime) {
  Stream other;
  ASSERT_LAUNCHED(CreateStream(&other));
  Event from, to, order;
  ASSERT_LAUNCHED(CreateEvent(&from, /*timing=*/true));
  ASSERT_LAUNCHED(CreateEvent(&to, /*timing=*/true));
  ASSERT_LAUNCHED(CreateEvent(&order));
  const std::vector<float> x = Random(1000);
  const DeviceArray<float> in(x), y(x.size()), z(x.size());
  ASSERT_LAUNCHED(Record(from, stream_));
  ASSERT_LAUNCHED(TwoOverlapping(in.get(), 1000, y.get(), z.get(), stream_));
  ASSERT_LAUNCHED(Record(to, stream_));
  ASSERT_LAUNCHED(Record(order, stream_));
  ASSERT_LAUNCHED(StreamWait(other, order));
  std::vector<float> got(x.size());
  ASSERT_LAUNCHED(CopyToHost(got.data(), z.get(), got.size() * sizeof(float), other));
  ASSERT_LAUNCHED(Synchronize(other));
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(got[i], (x[i] + 1.0F) * 2.0F);
  ASSERT_LAUNCHED(Synchronize(to));
  bool done = false;
  ASSERT_LAUNCHED(EventDone(to, &done));
  EXPECT_TRUE(done);
  double seconds = -1;
  ASSERT_LAUNCHED(ElapsedSeconds(from, to, &seconds));
  EXPECT_GT(seconds, 0);
  EXPECT_LT(seconds, 10);
  for (Event event : {from, to, order}) DestroyEvent(event);
  DestroyStream(other);
}

TEST_F(RuntimeTest, AGraphDoesWhatWasCapturedWheneverItIsStarted) {
  const std::vector<float> x = Random(300), changed = Random(300);
  const DeviceArray<float> in(x), y(x.size()), z(x.size()), copy(x.size());
  ASSERT_LAUNCHED(
      TwoOverlapping(in.get(), 300, y.get(), z.get(), stream_));  // a card loads kernels at their first launch
  ASSERT_LAUNCHED(BeginCapture(stream_));
  ASSERT_LAUNCHED(TwoOverlapping(in.get(), 300, y.get(), z.get(), stream_));
  ASSERT_LAUNCHED(CopyOnDevice(copy.get(), z.get(), x.size() * sizeof(float), stream_));
  ASSERT_LAUNCHED(Fill(y.get(), 0, sizeof(float), stream_));
  Graph graph;
  ASSERT_LAUNCHED(EndCapture(stream_, &graph));
  ASSERT_LAUNCHED(Synchronize(stream_));
  EXPECT_TRUE(std::isnan(copy.Read()[0]));  // nothing has run yet

  for (const std::vector<float>* input : {&x, &changed}) {
    ASSERT_LAUNCHED(CopyToDevice(in.get(), input->data(), input->size() * sizeof(float), stream_));
    ASSERT_LAUNCHED(StartGraph(graph, stream_));
    ASSERT_LAUNCHED(Synchronize(stream_));
    const std::vector<float> got = copy.Read();
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], ((*input)[i] + 1.0F) * 2.0F) << i;
    EXPECT_EQ(y.Read()[0], 0.0F);
  }
  DestroyGraph(graph);
  DestroyGraph(nullptr);
}

TEST_F(RuntimeTest, ACaptureSpreadsToTheStreamsThatWaitForIt) {
  Stream side;
  Event fork, join;
  ASSERT_LAUNCHED(CreateStream(&side));
  ASSERT_LAUNCHED(CreateEvent(&fork));
  ASSERT_LAUNCHED(CreateEvent(&join));
  const DeviceArray<std::uint8_t> bytes(2);
  ASSERT_LAUNCHED(BeginCapture(stream_));
  ASSERT_LAUNCHED(Record(fork, stream_));
  ASSERT_LAUNCHED(StreamWait(side, fork));
  ASSERT_LAUNCHED(Fill(bytes.get(), 1, 1, stream_));
  ASSERT_LAUNCHED(Fill(bytes.get() + 1, 2, 1, side));
  ASSERT_LAUNCHED(Record(join, side));
  ASSERT_LAUNCHED(StreamWait(stream_, join));
  Graph graph;
  ASSERT_LAUNCHED(EndCapture(stream_, &graph));
  EXPECT_EQ(bytes.Read(), (std::vector<std::uint8_t>{0xFF, 0xFF}));
  ASSERT_LAUNCHED(StartGraph(graph, stream_));
  ASSERT_LAUNCHED(Synchronize(stream_));
  EXPECT_EQ(bytes.Read(), (std::vector<std::uint8_t>{1, 2}));
  ASSERT_LAUNCHED(Fill(bytes.get(), 9, 1, side));  // no longer captured
  ASSERT_LAUNCHED(Synchronize(side));
  EXPECT_EQ(bytes.Read()[0], 9);
  DestroyGraph(graph);
  DestroyEvent(fork);
  DestroyEvent(join);
  DestroyStream(side);
}

TEST_F(RuntimeTest, TheDefaultStreamIsNotCaptured) {
  EXPECT_EQ(BeginCapture(nullptr).code(), LaunchResult::Code::kFailed);
}

TEST_F(RuntimeTest, RandomFillsHaveTheirDeviationAndStayInside) {
  for (const std::int64_t count : {1, 7, 8, 4099, 60'000}) {
    const auto size = static_cast<std::size_t>(count);
    const DeviceArray<Bf16> bf16(size);
    const DeviceArray<float> floats(size);
    const DeviceArray<std::uint8_t> bytes(size + 1);
    ASSERT_LAUNCHED(FillRandomBf16(bf16.get(), count, 2.0F, /*seed=*/5, nullptr));
    ASSERT_LAUNCHED(FillRandomFloats(floats.get(), count, 0.5F, /*seed=*/6, nullptr));
    ASSERT_LAUNCHED(FillRandomBytes(bytes.get(), count, /*seed=*/7, nullptr));
    EXPECT_EQ(bytes.Read()[size], 0xFF);  // one beyond
    if (count < 10'000) continue;
    const auto deviation = [](const std::vector<float>& values) {
      double sum = 0, squares = 0;
      for (const float value : values) sum += value, squares += double{value} * value;
      const auto n = static_cast<double>(values.size());
      EXPECT_NEAR(sum / n, 0.0, 0.03);
      return std::sqrt(squares / n);
    };
    EXPECT_NEAR(deviation(ToFloats(bf16.Read())), 2.0, 0.02);
    EXPECT_NEAR(deviation(floats.Read()), 0.5, 0.005);
  }
}

// A worker ends for a lost device; a launch that the card does not make must not look like one.
TEST_F(RuntimeTest, ARefusedLaunchIsNoLostDevice) {
  const DeviceArray<unsigned> y(1);
  for (const auto& [threads, shared_bytes] : {std::pair{2048U, 0U}, {32U, 1U << 20}}) {
    const LaunchResult result = StoreOne(threads, shared_bytes, y.get(), stream_);
    EXPECT_EQ(result.code(), LaunchResult::Code::kRefused) << result.message();
    EXPECT_EQ(std::string(result.message()).find("cudaErrorInvalid"), 0U) << result.message();
  }
  ASSERT_LAUNCHED(Synchronize(stream_));
  ASSERT_LAUNCHED(StoreOne(32, 0, y.get(), stream_));
  ASSERT_LAUNCHED(Synchronize(stream_));
  EXPECT_EQ(y.Read(), std::vector<unsigned>{1});
}

#if defined(GPU_EMULATOR)
TEST_F(RuntimeTest, ALostDeviceStaysLost) {
  const DeviceArray<int> x(2);
  emulator::LoseDeviceAfter(2);
  ASSERT_LAUNCHED(Fill(x.get(), 1, 8, stream_));
  ASSERT_LAUNCHED(Fill(x.get(), 2, 8, stream_));
  EXPECT_EQ(Fill(x.get(), 3, 8, stream_).code(), LaunchResult::Code::kFailed);
  EXPECT_EQ(Synchronize(stream_).code(), LaunchResult::Code::kFailed);
  void* memory;
  EXPECT_EQ(Allocate(&memory, 8).code(), LaunchResult::Code::kFailed);
  emulator::LoseDeviceAfter(-1);
  EXPECT_EQ(x.Read(), (std::vector<int>{0x02020202, 0x02020202}));
}
#endif

}  // namespace
}  // namespace kernels::gpu
