#include "libs/model/gpu/device_memory.h"

#include "kernels/primitives/gpu/launch_errors.h"
#include "libs/base/str_cat.h"

namespace model {

namespace gpu = kernels::gpu;

namespace {

// The way out, where the message does not tell it.
std::string_view Hint(std::string_view message, std::string_view hint) {
  return message.find("--device=cpu") != std::string_view::npos ? "" : hint;
}

// Refused for what this card lacks. What a launcher requires (GPU_REQUIRE) it requires on every card.
bool IsOfTheCard(std::string_view refusal) {
  for (const std::string_view reason :
       {gpu::kOutOfResources, gpu::kNoKernelImage, gpu::kNoSuchFunction, gpu::kPtxTooNew}) {
    if (refusal == reason) return true;
  }
  return refusal.find("shared memory") != std::string_view::npos;
}

std::string_view WayOutOf(std::string_view refusal) {
  return IsOfTheCard(refusal) ? "; another card may do it, --device=cpu runs without one"
                              : "; --device=cpu runs without a card";
}

}  // namespace

absl::Status ToStatus(const gpu::LaunchResult& result, std::string_view what) {
  switch (result.code()) {
    case gpu::LaunchResult::Code::kOk:
      return absl::OkStatus();
    case gpu::LaunchResult::Code::kNoMemory:
      return absl::ResourceExhaustedError(
          base::StrCat("no memory on the device for ", what, ": ", result.message(),
                       "; lower kv_blocks, step_tokens_max or sequences_max, or choose smaller weights"));
    case gpu::LaunchResult::Code::kNoDevice:
      return absl::FailedPreconditionError(base::StrCat("no usable device: ", result.message(),
                                                        Hint(result.message(), "; --device=cpu runs without one")));
    case gpu::LaunchResult::Code::kRefused:
      return absl::InternalError(
          base::StrCat(what, " was refused: ", result.message(), Hint(result.message(), WayOutOf(result.message()))));
    case gpu::LaunchResult::Code::kFailed:
      return absl::InternalError(base::StrCat("the device failed, ", what, ": ", result.message()));
  }
  return absl::InternalError("unknown result of a device call");
}

absl::StatusOr<DeviceMemory> AllocateDevice(std::size_t bytes, std::string_view what) {
  void* memory = nullptr;
  RETURN_IF_DEVICE_ERROR(gpu::Allocate(&memory, bytes), base::StrCat(what, " (", bytes >> 20, " MiB)"));
  return DeviceMemory(memory);
}

absl::StatusOr<PinnedMemory> AllocatePinned(std::size_t bytes, std::string_view what) {
  void* memory = nullptr;
  RETURN_IF_DEVICE_ERROR(gpu::AllocatePinned(&memory, bytes), base::StrCat(what, " (", bytes >> 20, " MiB, pinned)"));
  return PinnedMemory(memory);
}

absl::StatusOr<DeviceStream> MakeStream() {
  gpu::Stream stream = nullptr;
  RETURN_IF_DEVICE_ERROR(gpu::CreateStream(&stream), "a stream");
  return DeviceStream(stream);
}

absl::StatusOr<DeviceEvent> MakeEvent(bool timing) {
  gpu::Event event = nullptr;
  RETURN_IF_DEVICE_ERROR(gpu::CreateEvent(&event, timing), "an event");
  return DeviceEvent(event);
}

}  // namespace model
