#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "kernels/primitives/emulator/emulator.h"
#include "kernels/primitives/gpu/runtime.h"

// The device runtime over plain memory. Work is done when it is enqueued, so a stream is only a place to capture into.
namespace {

// What one capture has recorded; the streams that joined it through events share it.
struct Capture {
  std::vector<std::function<kernels::gpu::LaunchResult()>> work;
  bool ended = false;
};

}  // namespace

struct CUstream_st {
  std::shared_ptr<Capture> capture;
  std::atomic<bool> unwaited = false;
};
struct CUevent_st {
  bool timing;
  std::chrono::steady_clock::time_point recorded_at;
  std::shared_ptr<Capture> capture;  // it was recorded into
};
struct CUgraphExec_st {
  std::vector<std::function<kernels::gpu::LaunchResult()>> work;
};

namespace kernels::gpu {
namespace emulator {
namespace {

// Device memory by address, for the limit and to catch a wrong Free.
struct Memory {
  std::mutex mutex;
  std::unordered_map<void*, std::size_t> bytes_of;  // protected by mutex
  std::int64_t in_use = 0;                          // protected by mutex
  std::int64_t limit = -1;                          // protected by mutex
};
Memory& DeviceMemory() {
  static auto* memory = new Memory;  // never destroyed: static objects may free device memory at exit
  return *memory;
}

std::int64_t FirstSubmissionsLeft() {
  const char* count = std::getenv("MESH_EMULATOR_LOSE_AFTER");
  return count == nullptr ? -1 : std::strtoll(count, nullptr, 10);
}
std::atomic<std::int64_t> submissions_left{FirstSubmissionsLeft()};
std::atomic<std::int64_t> streams_unwaited{0};
std::atomic<bool> graphs_refused{false};
std::mutex failure_mutex;
std::int64_t failure_after = -1;                   // protected by failure_mutex
LaunchResult failure_result = LaunchResult::Ok();  // protected by failure_mutex
constexpr const char* kLost = "unspecified launch failure (the emulated device is lost)";

void SetUnwaited(Stream stream, bool unwaited) {
  if (stream != nullptr && stream->unwaited.exchange(unwaited) != unwaited) streams_unwaited += unwaited ? 1 : -1;
}

// What FailOnceAfter asked for, where its time has come.
LaunchResult Failure() {
  const std::lock_guard lock(failure_mutex);
  if (failure_after < 0 || failure_after-- > 0) return LaunchResult::Ok();
  return failure_result;
}

Capture* ActiveCapture(Stream stream) {
  if (stream == nullptr || stream->capture == nullptr) return nullptr;
  if (stream->capture->ended) stream->capture = nullptr;
  return stream->capture.get();
}

}  // namespace

void SetMemoryLimit(std::int64_t bytes) {
  const std::lock_guard lock(DeviceMemory().mutex);
  DeviceMemory().limit = bytes;
}

std::int64_t MemoryInUse() {
  const std::lock_guard lock(DeviceMemory().mutex);
  return DeviceMemory().in_use;
}

void LoseDeviceAfter(std::int64_t submissions) { submissions_left.store(submissions); }

bool DeviceLost() { return submissions_left.load() == 0; }

void FailOnceAfter(std::int64_t submissions, LaunchResult result) {
  const std::lock_guard lock(failure_mutex);
  failure_after = submissions;
  failure_result = result;
}
void RefuseGraphs(bool refuse) { graphs_refused.store(refuse); }
std::int64_t StreamsUnwaited() { return streams_unwaited.load(); }

LaunchResult Submit(Stream stream, std::function<LaunchResult()> work) {
  if (Capture* capture = ActiveCapture(stream); capture != nullptr) {
    capture->work.push_back(std::move(work));
    return LaunchResult::Ok();
  }
  std::int64_t left = submissions_left.load();
  while (left > 0 && !submissions_left.compare_exchange_weak(left, left - 1)) {
  }
  if (left == 0) return LaunchResult::Failed(kLost);
  GPU_RETURN_IF_ERROR(Failure());
  SetUnwaited(stream, true);
  return work();
}

}  // namespace emulator

namespace {

// All the same memory; as many as a tensor-parallel group may have.
constexpr std::int32_t kDevices = 8;
constexpr LaunchResult kNoSuchDevice = LaunchResult::NoDevice("no such card: the emulator has the devices 0 to 7");

LaunchResult WhileCapturing() { return LaunchResult::Failed("operation not permitted when stream is capturing"); }

LaunchResult Unlost() { return emulator::DeviceLost() ? LaunchResult::Failed(emulator::kLost) : LaunchResult::Ok(); }

}  // namespace

LaunchResult FindDevice(std::int32_t ordinal, DeviceInfo* info) {
  if (ordinal < 0 || ordinal >= kDevices) return kNoSuchDevice;
  emulator::Memory& memory = emulator::DeviceMemory();
  const std::lock_guard lock(memory.mutex);
  const std::int64_t machine = std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE);
  *info = {};
  std::snprintf(info->name, sizeof(info->name), "emulator on the CPU");
  info->capability = 80;
  info->multiprocessors = 8;
  info->shared_bytes_max = static_cast<std::int32_t>(emulator::SharedLimit());
  info->memory_bytes = memory.limit >= 0 ? memory.limit : machine;
  info->memory_free_bytes = std::max<std::int64_t>(0, info->memory_bytes - memory.in_use);
  info->l2_bytes = std::int64_t{4} << 20;
  info->emulated = true;
  return LaunchResult::Ok();
}

LaunchResult DeviceCount(std::int32_t* count) {
  *count = kDevices;
  return LaunchResult::Ok();
}

LaunchResult SetDevice(std::int32_t ordinal) {
  return ordinal >= 0 && ordinal < kDevices ? LaunchResult::Ok() : kNoSuchDevice;
}

LaunchResult Allocate(void** memory, std::size_t bytes) {
  *memory = nullptr;
  GPU_RETURN_IF_ERROR(Unlost());
  if (bytes == 0) return LaunchResult::Ok();
  emulator::Memory& device = emulator::DeviceMemory();
  const std::lock_guard lock(device.mutex);
  const bool fits = device.limit < 0 || static_cast<std::int64_t>(bytes) <= device.limit - device.in_use;
  if (!fits || posix_memalign(memory, 256, bytes) != 0) {
    *memory = nullptr;
    thread_local char message[128];
    std::snprintf(message, sizeof(message), "out of device memory: %zu bytes wanted, %lld in use of %lld", bytes,
                  static_cast<long long>(device.in_use), static_cast<long long>(device.limit));
    return LaunchResult::NoMemory(message);
  }
  device.bytes_of[*memory] = bytes;
  device.in_use += static_cast<std::int64_t>(bytes);
  // A card's memory is not cleared either; what reads it unwritten should show.
  std::memset(*memory, 0xFF, std::min<std::size_t>(bytes, std::size_t{16} << 20));
  return LaunchResult::Ok();
}

void Free(void* memory) {
  if (memory == nullptr) return;
  emulator::Memory& device = emulator::DeviceMemory();
  const std::lock_guard lock(device.mutex);
  const auto found = device.bytes_of.find(memory);
  if (found == device.bytes_of.end()) emulator::Fail("Free of %p, which Allocate did not give or Free had", memory);
  device.in_use -= static_cast<std::int64_t>(found->second);
  device.bytes_of.erase(found);
  std::free(memory);
}

LaunchResult AllocatePinned(void** memory, std::size_t bytes) {
  *memory = nullptr;
  if (bytes == 0) return LaunchResult::Ok();
  if (posix_memalign(memory, 256, bytes) == 0) return LaunchResult::Ok();
  *memory = nullptr;
  return LaunchResult::NoMemory("out of host memory");
}
void FreePinned(void* memory) { std::free(memory); }

LaunchResult CreateStream(Stream* stream) {
  *stream = new CUstream_st;
  return LaunchResult::Ok();
}
void DestroyStream(Stream stream) {
  emulator::SetUnwaited(stream, false);
  delete stream;
}
LaunchResult Synchronize(Stream stream) {
  if (emulator::ActiveCapture(stream) != nullptr) return WhileCapturing();
  emulator::SetUnwaited(stream, false);
  return Unlost();
}

LaunchResult CopyToDevice(void* device, const void* host, std::size_t bytes, Stream stream) {
  return CopyOnDevice(device, host, bytes, stream);
}
LaunchResult CopyToHost(void* host, const void* device, std::size_t bytes, Stream stream) {
  return CopyOnDevice(host, device, bytes, stream);
}
LaunchResult CopyOnDevice(void* to, const void* from, std::size_t bytes, Stream stream) {
  if (bytes == 0) return LaunchResult::Ok();
  return emulator::Submit(stream, [=] {
    std::memmove(to, from, bytes);
    return LaunchResult::Ok();
  });
}
LaunchResult Fill(void* device, std::uint8_t byte, std::size_t bytes, Stream stream) {
  if (bytes == 0) return LaunchResult::Ok();
  return emulator::Submit(stream, [=] {
    std::memset(device, byte, bytes);
    return LaunchResult::Ok();
  });
}

LaunchResult CreateEvent(Event* event, bool timing) {
  *event = new CUevent_st{timing, {}, nullptr};
  return LaunchResult::Ok();
}
void DestroyEvent(Event event) { delete event; }
LaunchResult Record(Event event, Stream stream) {
  event->capture = emulator::ActiveCapture(stream) != nullptr ? stream->capture : nullptr;
  event->recorded_at = std::chrono::steady_clock::now();
  return Unlost();
}
// Waiting for an event of a capture makes the stream part of that capture, as in CUDA.
LaunchResult StreamWait(Stream stream, Event event) {
  if (event->capture != nullptr && !event->capture->ended) {
    if (stream == nullptr) return WhileCapturing();
    stream->capture = event->capture;
  }
  return Unlost();
}
LaunchResult EventDone(Event event, bool* done) {
  if (event->capture != nullptr && !event->capture->ended) return WhileCapturing();
  *done = true;
  return Unlost();
}
LaunchResult Synchronize(Event event) {
  if (event->capture != nullptr && !event->capture->ended) return WhileCapturing();
  return Unlost();
}
LaunchResult ElapsedSeconds(Event from, Event to, double* seconds) {
  if (!from->timing || !to->timing)
    return LaunchResult::Failed("invalid resource handle: an event made without timing");
  *seconds = std::chrono::duration<double>(to->recorded_at - from->recorded_at).count();
  return Unlost();
}

LaunchResult BeginCapture(Stream stream) {
  if (stream == nullptr) return LaunchResult::Failed("operation not permitted on the default stream: capture another");
  if (emulator::ActiveCapture(stream) != nullptr) return WhileCapturing();
  stream->capture = std::make_shared<Capture>();
  return LaunchResult::Ok();
}
LaunchResult EndCapture(Stream stream, Graph* graph) {
  *graph = nullptr;
  Capture* capture = emulator::ActiveCapture(stream);
  if (capture == nullptr) return LaunchResult::Failed("operation not permitted: the stream is not capturing");
  capture->ended = true;
  if (emulator::graphs_refused.load()) {
    stream->capture = nullptr;
    return LaunchResult::NoMemory("out of memory for a graph");
  }
  *graph = new CUgraphExec_st{std::move(capture->work)};
  stream->capture = nullptr;
  return LaunchResult::Ok();
}
LaunchResult StartGraph(Graph graph, Stream stream) {
  return emulator::Submit(stream, [graph] {
    for (const auto& work : graph->work) GPU_RETURN_IF_ERROR(work());
    return LaunchResult::Ok();
  });
}
void DestroyGraph(Graph graph) { delete graph; }

}  // namespace kernels::gpu
