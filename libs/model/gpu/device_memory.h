#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kernels/gemm/gemm_gpu.h"
#include "kernels/primitives/gpu/launch_result.h"
#include "kernels/primitives/gpu/runtime.h"

namespace model {

// What a call of the device means for who started the process. `what` says what was tried.
//   kNoMemory -> ResourceExhausted that names the options to lower; kNoDevice -> FailedPrecondition that names
//   --device=cpu; kRefused -> Internal that names --device=cpu and, where the card lacks something, another card;
//   kFailed -> Internal (see LostDevice).
absl::Status ToStatus(const kernels::gpu::LaunchResult& result, std::string_view what);

// After an illegal access or a lost card every later call fails: nothing but a fresh process helps.
inline bool LostDevice(const kernels::gpu::LaunchResult& result) {
  return result.code() == kernels::gpu::LaunchResult::Code::kFailed;
}

// Owns one thing of the device and gives it back. Move-only; empty after a move.
// Trap: giving memory back while a stream still uses it is undefined; the owner waits for its streams first.
template <typename Handle, void (*kGiveBack)(Handle)>
class DeviceOwned {
 public:
  DeviceOwned() = default;
  explicit DeviceOwned(Handle handle) : handle_(handle) {}
  DeviceOwned(DeviceOwned&& other) noexcept : handle_(std::exchange(other.handle_, Handle{})) {}
  DeviceOwned& operator=(DeviceOwned&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~DeviceOwned() {
    if (handle_ != Handle{}) kGiveBack(handle_);
  }

  Handle get() const { return handle_; }

 private:
  Handle handle_{};
};

using DeviceMemory = DeviceOwned<void*, kernels::gpu::Free>;
using PinnedMemory = DeviceOwned<void*, kernels::gpu::FreePinned>;
using DeviceStream = DeviceOwned<kernels::gpu::Stream, kernels::gpu::DestroyStream>;
using DeviceEvent = DeviceOwned<kernels::gpu::Event, kernels::gpu::DestroyEvent>;
using DeviceGraph = DeviceOwned<kernels::gpu::Graph, kernels::gpu::DestroyGraph>;
using DeviceGemmContext = DeviceOwned<kernels::gpu::GemmContext*, kernels::gpu::DestroyGemmContext>;

// Errors as ToStatus; `what` names the use of the memory ("weights").
absl::StatusOr<DeviceMemory> AllocateDevice(std::size_t bytes, std::string_view what);
absl::StatusOr<PinnedMemory> AllocatePinned(std::size_t bytes, std::string_view what);
absl::StatusOr<DeviceStream> MakeStream();
absl::StatusOr<DeviceEvent> MakeEvent(bool timing = false);

// Cuts one allocation into arrays, each aligned to 256 bytes. Used twice: with no memory to learn the size, then with
// it.
class MemoryPlan {
 public:
  explicit MemoryPlan(void* memory = nullptr) : memory_(static_cast<std::byte*>(memory)) {}

  template <typename T>
  T* Take(std::size_t count) {
    T* array = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + bytes_);
    bytes_ += (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    return array;
  }

  std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kAlignment = 256;

  std::byte* const memory_;
  std::size_t bytes_ = 0;
};

}  // namespace model

// Returns from the enclosing function, as an absl::Status, when `call` did not succeed.
#define RETURN_IF_DEVICE_ERROR(call, what)                                    \
  do {                                                                        \
    const ::kernels::gpu::LaunchResult device_result_ = (call);               \
    if (!device_result_.ok()) return ::model::ToStatus(device_result_, what); \
  } while (false)
