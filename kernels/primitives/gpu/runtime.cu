#include "kernels/primitives/gpu/runtime.h"

#include <algorithm>
#include <cstdio>

#include "kernels/primitives/gpu/device.h"

namespace kernels::gpu {
namespace {

constexpr int kCapabilityMin = 80;

// Where a message with figures is written; LaunchResult states how long it stays.
char* MessageOfThread() {
  thread_local char message[320];
  return message;
}
template <typename... Arguments>
const char* Message(const char* format, Arguments... arguments) {
  char* message = MessageOfThread();
  std::snprintf(message, sizeof(char[320]), format, arguments...);
  return message;
}

// Why no card can be used: the driver's answer to the first call of all.
LaunchResult WhyNoDevice(cudaError_t error) {
  static_cast<void>(cudaGetLastError());
  int driver = 0;
  static_cast<void>(cudaDriverGetVersion(&driver));  // 0: no driver
  if (error == cudaErrorInsufficientDriver && driver == 0) {
    return LaunchResult::NoDevice(
        "no CUDA driver on this machine: install the NVIDIA driver, or run with --device=cpu");
  }
  if (error == cudaErrorInsufficientDriver) {
    return LaunchResult::NoDevice(Message(
        "the NVIDIA driver is too old: it knows CUDA %d.%d, this program needs %d.%d; update the driver, or run with "
        "--device=cpu",
        driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10));
  }
  if (error == cudaErrorNoDevice) {
    return LaunchResult::NoDevice(
        "the NVIDIA driver finds no card: look at nvidia-smi and CUDA_VISIBLE_DEVICES, or run with --device=cpu");
  }
  return LaunchResult::NoDevice(
      Message("the NVIDIA driver can't be used: %s (%s); look at nvidia-smi, or run with --device=cpu",
              cudaGetErrorString(error), cudaGetErrorName(error)));
}

LaunchResult ReadProperties(std::int32_t ordinal, DeviceInfo* info) {
  cudaDeviceProp properties;
  GPU_RETURN_IF_ERROR(ResultOf(cudaGetDeviceProperties(&properties, ordinal)));
  *info = {};
  std::snprintf(info->name, sizeof(info->name), "%.127s", properties.name);
  info->capability = properties.major * 10 + properties.minor;
  info->multiprocessors = properties.multiProcessorCount;
  info->shared_bytes_max = static_cast<std::int32_t>(properties.sharedMemPerBlockOptin);
  info->l2_bytes = properties.l2CacheSize;
  info->memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem);
  GPU_RETURN_IF_ERROR(ResultOf(cudaDeviceGetAttribute(&info->sm_clock_khz, cudaDevAttrClockRate, ordinal)));
  GPU_RETURN_IF_ERROR(ResultOf(cudaDriverGetVersion(&info->driver_version)));
  GPU_RETURN_IF_ERROR(ResultOf(cudaRuntimeGetVersion(&info->runtime_version)));
  if (info->capability < kCapabilityMin) {
    return LaunchResult::NoDevice(
        Message("card %d (%s) has compute capability %d.%d; 8.0 or newer is needed (A100, L40S, "
                "H100, RTX 30 series ...), or run with --device=cpu",
                ordinal, info->name, info->capability / 10, info->capability % 10));
  }
  return LaunchResult::Ok();
}

}  // namespace

LaunchResult DeviceCount(std::int32_t* count) {
  *count = 0;
  int found = 0;
  const cudaError_t error = cudaGetDeviceCount(&found);
  if (error != cudaSuccess) return WhyNoDevice(error);
  *count = found;
  return LaunchResult::Ok();
}

LaunchResult FindDevice(std::int32_t ordinal, DeviceInfo* info) {
  std::int32_t count;
  GPU_RETURN_IF_ERROR(DeviceCount(&count));
  if (ordinal < 0 || ordinal >= count) {
    return LaunchResult::NoDevice(Message("no card %d: the NVIDIA driver finds %d, counted from 0", ordinal, count));
  }
  GPU_RETURN_IF_ERROR(ReadProperties(ordinal, info));
  int current;
  GPU_RETURN_IF_ERROR(ResultOf(cudaGetDevice(&current)));
  cudaError_t error = cudaSetDevice(ordinal);  // makes the card's context, which free memory is counted in
  std::size_t free = 0, total = 0;
  if (error == cudaSuccess) error = cudaMemGetInfo(&free, &total);
  if (error != cudaSuccess) {
    return LaunchResult::NoDevice(
        Message("card %d (%s) can't be used: %s", ordinal, info->name, cudaGetErrorString(error)));
  }
  info->memory_free_bytes = static_cast<std::int64_t>(free);
  return ResultOf(cudaSetDevice(current));
}

LaunchResult SetDevice(std::int32_t ordinal) { return ResultOf(cudaSetDevice(ordinal)); }

LaunchResult Allocate(void** memory, std::size_t bytes) {
  *memory = nullptr;
  const cudaError_t error = cudaMalloc(memory, bytes);
  if (error != cudaErrorMemoryAllocation) return ResultOf(error);
  static_cast<void>(cudaGetLastError());
  *memory = nullptr;
  std::size_t free = 0, total = 0;
  static_cast<void>(cudaMemGetInfo(&free, &total));
  return LaunchResult::NoMemory(Message("out of device memory: %zu MiB wanted, %zu MiB free of %zu MiB",
                                        (bytes >> 20) + 1, free >> 20, total >> 20));
}
void Free(void* memory) { static_cast<void>(cudaFree(memory)); }

LaunchResult AllocatePinned(void** memory, std::size_t bytes) {
  *memory = nullptr;
  const cudaError_t error = cudaHostAlloc(memory, bytes, cudaHostAllocPortable);
  if (error != cudaErrorMemoryAllocation) return ResultOf(error);
  static_cast<void>(cudaGetLastError());
  *memory = nullptr;
  return LaunchResult::NoMemory(Message("out of pinned host memory: %zu MiB wanted", (bytes >> 20) + 1));
}
void FreePinned(void* memory) { static_cast<void>(cudaFreeHost(memory)); }

// Not synchronised with the default stream, which would make every copy there wait for the engine's step.
LaunchResult CreateStream(Stream* stream) { return ResultOf(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking)); }
void DestroyStream(Stream stream) { static_cast<void>(cudaStreamDestroy(stream)); }
LaunchResult Synchronize(Stream stream) { return ResultOf(cudaStreamSynchronize(stream)); }

LaunchResult CopyToDevice(void* device, const void* host, std::size_t bytes, Stream stream) {
  if (bytes == 0) return LaunchResult::Ok();
  return ResultOf(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream));
}
LaunchResult CopyToHost(void* host, const void* device, std::size_t bytes, Stream stream) {
  if (bytes == 0) return LaunchResult::Ok();
  return ResultOf(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream));
}
LaunchResult CopyOnDevice(void* to, const void* from, std::size_t bytes, Stream stream) {
  if (bytes == 0) return LaunchResult::Ok();
  return ResultOf(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream));
}
LaunchResult Fill(void* device, std::uint8_t byte, std::size_t bytes, Stream stream) {
  if (bytes == 0) return LaunchResult::Ok();
  return ResultOf(cudaMemsetAsync(device, byte, bytes, stream));
}

LaunchResult CreateEvent(Event* event, bool timing) {
  return ResultOf(cudaEventCreateWithFlags(event, timing ? cudaEventDefault : cudaEventDisableTiming));
}
void DestroyEvent(Event event) { static_cast<void>(cudaEventDestroy(event)); }
LaunchResult Record(Event event, Stream stream) { return ResultOf(cudaEventRecord(event, stream)); }
LaunchResult StreamWait(Stream stream, Event event) { return ResultOf(cudaStreamWaitEvent(stream, event)); }
LaunchResult EventDone(Event event, bool* done) {
  const cudaError_t error = cudaEventQuery(event);
  *done = error == cudaSuccess;
  if (error == cudaErrorNotReady) {
    static_cast<void>(cudaGetLastError());
    return LaunchResult::Ok();
  }
  return ResultOf(error);
}
LaunchResult Synchronize(Event event) { return ResultOf(cudaEventSynchronize(event)); }
LaunchResult ElapsedSeconds(Event from, Event to, double* seconds) {
  float milliseconds = 0;
  const LaunchResult result = ResultOf(cudaEventElapsedTime(&milliseconds, from, to));
  *seconds = double{milliseconds} * 1e-3;
  return result;
}

// Of the thread: what other threads do meanwhile (allocate, say) neither disturbs the capture nor is refused.
LaunchResult BeginCapture(Stream stream) {
  return ResultOf(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
}
LaunchResult EndCapture(Stream stream, Graph* graph) {
  *graph = nullptr;
  cudaGraph_t captured = nullptr;
  GPU_RETURN_IF_ERROR(ResultOf(cudaStreamEndCapture(stream, &captured)));
  const LaunchResult result = ResultOf(cudaGraphInstantiate(graph, captured, 0));
  static_cast<void>(cudaGraphDestroy(captured));
  return result;
}
LaunchResult StartGraph(Graph graph, Stream stream) { return ResultOf(cudaGraphLaunch(graph, stream)); }
void DestroyGraph(Graph graph) {
  if (graph != nullptr) static_cast<void>(cudaGraphExecDestroy(graph));
}

}  // namespace kernels::gpu
