#pragma once

struct CUstream_st;  // CUDA's, in the global namespace

namespace kernels::gpu {

// A queue of device work, in order. The same type as CUDA's cudaStream_t, declared here so that callers need no CUDA
// header; nullptr is the default stream.
using Stream = ::CUstream_st*;

// What a launcher or a call of the device runtime returns. Launchers only enqueue: a fault of the kernel itself is
// reported by a later call (see Synchronize in runtime.h).
//
// kRefused:  an argument is outside what the kernel computes, or the launch outside of what the card can do; nothing is
//            enqueued. A bug of the caller, a shape that no kernel covers, or a build for other cards. Permanent.
// kNoDevice: no driver, no card, or a card or driver that is too old; the message says what was found. Permanent.
// kNoMemory: the device or pinned memory can't be had. Permanent at this configuration.
// kFailed:   the device reported an error. After an illegal access or a lost card every later call fails: the process
//            must end, and a fresh one take over.
class [[nodiscard]] LaunchResult {
 public:
  enum class Code { kOk, kRefused, kNoDevice, kNoMemory, kFailed };

  static constexpr LaunchResult Ok() { return {Code::kOk, ""}; }
  static constexpr LaunchResult Refused(const char* why) { return {Code::kRefused, why}; }
  static constexpr LaunchResult NoDevice(const char* why) { return {Code::kNoDevice, why}; }
  static constexpr LaunchResult NoMemory(const char* why) { return {Code::kNoMemory, why}; }
  static constexpr LaunchResult Failed(const char* why) { return {Code::kFailed, why}; }

  constexpr bool ok() const { return code_ == Code::kOk; }
  constexpr Code code() const { return code_; }
  // Static storage; where it holds figures, a buffer of the calling thread that its next such message overwrites.
  constexpr const char* message() const { return message_; }

 private:
  constexpr LaunchResult(Code code, const char* message) : code_(code), message_(message) {}

  Code code_;
  const char* message_;
};

}  // namespace kernels::gpu

// Returns from the enclosing function when `call` did not succeed.
#define GPU_RETURN_IF_ERROR(call)                            \
  do {                                                       \
    const ::kernels::gpu::LaunchResult gpu_result_ = (call); \
    if (!gpu_result_.ok()) return gpu_result_;               \
  } while (false)
// For launchers: refuses the call, with the condition in the message.
#define GPU_REQUIRE(condition)                                                              \
  do {                                                                                      \
    if (!(condition)) return ::kernels::gpu::LaunchResult::Refused("requires " #condition); \
  } while (false)
