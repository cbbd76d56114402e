#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/primitives/gpu/launch_result.h"

struct CUevent_st;  // CUDA's, as CUstream_st
struct CUgraphExec_st;

namespace kernels::gpu {

// The device's memory, streams, events and graphs behind plain functions, so that the code above the kernels needs no
// CUDA header and the emulator can stand in for a card. Link either mesh::kernels_cuda or mesh::kernels_emulated.
//
// Threading: every function from any thread; the current device is a property of the calling thread (SetDevice).

struct DeviceInfo {
  char name[128];
  std::int32_t capability;  // major * 10 + minor: 80, 90, 100
  std::int32_t multiprocessors;
  std::int32_t shared_bytes_max;  // of a block
  std::int64_t memory_bytes, memory_free_bytes;
  std::int64_t l2_bytes;
  std::int32_t driver_version, runtime_version;  // major * 1000 + minor * 10
  std::int32_t sm_clock_khz;                     // the highest; 0: unknown
  bool emulated;
};

// NoDevice says what was found: no driver, a driver older than the runtime needs, no such card, a card older than
// compute capability 8.0.
LaunchResult FindDevice(std::int32_t ordinal, DeviceInfo* info);
LaunchResult DeviceCount(std::int32_t* count);
LaunchResult SetDevice(std::int32_t ordinal);

// Device memory, aligned to 256 bytes, not cleared. NoMemory says how much was free.
LaunchResult Allocate(void** memory, std::size_t bytes);
void Free(void* memory);  // nullptr is fine
// Host memory that the device copies from and to without staging.
LaunchResult AllocatePinned(void** memory, std::size_t bytes);
void FreePinned(void* memory);

LaunchResult CreateStream(Stream* stream);
void DestroyStream(Stream stream);
// Waits for all that was enqueued; reports faults of kernels that ran since the last report. Failed: see LaunchResult.
LaunchResult Synchronize(Stream stream);

// Asynchronous; host memory must be pinned to overlap with kernels, and stay until the copy is done.
LaunchResult CopyToDevice(void* device, const void* host, std::size_t bytes, Stream stream);
LaunchResult CopyToHost(void* host, const void* device, std::size_t bytes, Stream stream);
LaunchResult CopyOnDevice(void* to, const void* from, std::size_t bytes, Stream stream);
LaunchResult Fill(void* device, std::uint8_t byte, std::size_t bytes, Stream stream);

using Event = ::CUevent_st*;
LaunchResult CreateEvent(Event* event, bool timing = false);
void DestroyEvent(Event event);
LaunchResult Record(Event event, Stream stream);
LaunchResult StreamWait(Stream stream, Event event);  // what is enqueued later waits for the event
LaunchResult EventDone(Event event, bool* done);
LaunchResult Synchronize(Event event);
LaunchResult ElapsedSeconds(Event from, Event to, double* seconds);  // both made with timing and done

// A captured sequence of launches and copies, started as one. Between BeginCapture and EndCapture nothing that is
// enqueued on the stream runs; arguments are taken as they are, so pointers must stay valid.
using Graph = ::CUgraphExec_st*;
LaunchResult BeginCapture(Stream stream);
LaunchResult EndCapture(Stream stream, Graph* graph);
LaunchResult StartGraph(Graph graph, Stream stream);
void DestroyGraph(Graph graph);

}  // namespace kernels::gpu
