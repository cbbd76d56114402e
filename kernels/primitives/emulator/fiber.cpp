#include "kernels/primitives/emulator/fiber.h"

#include <cstdint>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(EMULATOR_FINDS_RACES)
#include <sanitizer/tsan_interface.h>
#endif
#if !defined(__x86_64__)
#include <ucontext.h>

#include <memory>
#endif

namespace kernels::gpu::emulator {
namespace {

constexpr std::uint64_t kCanary = 0x5AFE57AC4B0770E5;
constexpr std::size_t kCanaryBytes = 64;

// Whom the switch that is under way comes from.
constinit thread_local Fiber* leaving = nullptr;

}  // namespace

#if defined(__x86_64__)
// Keeps what the System V ABI asks a callee to keep; the floating-point control words are the same in all fibers.
// Leaves by a jump, not by a return: the processor's stack of return addresses would predict the other fiber's caller.
//   rdi: where to put the current stack pointer, rsi: the stack pointer to go on with
asm(R"(
.text
.align 16
.globl mesh_emulator_switch
.hidden mesh_emulator_switch
.type mesh_emulator_switch, @function
mesh_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmpq *%rcx
.size mesh_emulator_switch, .-mesh_emulator_switch
)");
extern "C" void mesh_emulator_switch(void** from, void* to);
#endif

void Fiber::Start(unsigned char* stack, unsigned number, void (*entry)()) {
  stack_ = stack;
  bottom_ = stack;
  bytes_ = kStackBytes;
#if defined(__SANITIZE_ADDRESS__)
  // The fibers of a thread that has ended never left their frames; where their memory lay, the marks still stand.
  __asan_unpoison_memory_region(stack, kStackBytes);
#endif
  for (std::size_t at = 0; at < kCanaryBytes; at += sizeof(kCanary)) std::memcpy(stack + at, &kCanary, sizeof(kCanary));
  const std::size_t usable = kStackBytes - number % 61 * 64;
#if defined(__x86_64__)
  auto** top = reinterpret_cast<void**>(stack + usable);
  *--top = nullptr;  // the return address of `entry`, which has none
  *--top = reinterpret_cast<void*>(entry);
  for (int saved_register = 0; saved_register < 6; ++saved_register) *--top = nullptr;
  stack_pointer_ = top;
#else
  auto* context = new ucontext_t;
  getcontext(context);
  context->uc_stack.ss_sp = stack + kCanaryBytes;
  context->uc_stack.ss_size = usable - kCanaryBytes;
  context->uc_link = nullptr;
  makecontext(context, entry, 0);
  stack_pointer_ = context;
#endif
#if defined(EMULATOR_FINDS_RACES)
  thread_sanitizer_ = __tsan_create_fiber(0);
#endif
}

void Fiber::Destroy() {
#if defined(EMULATOR_FINDS_RACES)
  if (stack_ != nullptr) __tsan_destroy_fiber(thread_sanitizer_);
#endif
#if !defined(__x86_64__)
  delete static_cast<ucontext_t*>(stack_pointer_);
#endif
}

void Fiber::SwitchTo(Fiber& next) {
  leaving = this;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&fake_stack_, next.bottom_, next.bytes_);
#endif
#if defined(EMULATOR_FINDS_RACES)
  if (stack_ == nullptr) thread_sanitizer_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(next.thread_sanitizer_, __tsan_switch_to_fiber_no_sync);  // a switch orders nothing
#endif
#if defined(__x86_64__)
  mesh_emulator_switch(&stack_pointer_, next.stack_pointer_);
#else
  if (stack_pointer_ == nullptr) stack_pointer_ = new ucontext_t;
  swapcontext(static_cast<ucontext_t*>(stack_pointer_), static_cast<const ucontext_t*>(next.stack_pointer_));
#endif
#if defined(__SANITIZE_ADDRESS__)
  Fiber* from = leaving;
  const void* bottom;
  std::size_t bytes;
  __sanitizer_finish_switch_fiber(fake_stack_, &bottom, &bytes);
  if (from->stack_ == nullptr) from->bottom_ = bottom, from->bytes_ = bytes;
#endif
}

void Fiber::Arrived() {
#if defined(__SANITIZE_ADDRESS__)
  Fiber* from = leaving;
  const void* bottom;
  std::size_t bytes;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &bytes);
  if (from->stack_ == nullptr) from->bottom_ = bottom, from->bytes_ = bytes;
#endif
}

bool Fiber::StackWhole() const {
  std::uint64_t word;
  for (std::size_t at = 0; at < kCanaryBytes; at += sizeof(word)) {
    std::memcpy(&word, stack_ + at, sizeof(word));
    if (word != kCanary) return false;
  }
  return true;
}

#if defined(EMULATOR_FINDS_RACES)
void Released(void* token) { __tsan_release(token); }
void Acquired(void* token) { __tsan_acquire(token); }
#endif

}  // namespace kernels::gpu::emulator
