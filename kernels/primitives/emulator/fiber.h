#pragma once

#include <cstddef>

namespace kernels::gpu::emulator {

// A stack of its own and where its code stopped. Switching costs some nanoseconds and no system call, and the
// sanitizers are told. A fiber stays on the operating system's thread that made it.
class Fiber {
 public:
#if defined(__SANITIZE_ADDRESS__) || defined(EMULATOR_FINDS_RACES) || !defined(__OPTIMIZE__)
  static constexpr std::size_t kStackBytes = 256U << 10;  // frames are several times as large
#else
  static constexpr std::size_t kStackBytes = 64U << 10;
#endif

  Fiber() = default;  // the stack that the thread runs on anyway
  // `entry` never returns. `stack` is kStackBytes; `number` spreads the stacks' tops over the cache's sets, which would
  // otherwise all fall into the same one.
  void Start(unsigned char* stack, unsigned number, void (*entry)());
  void Destroy();

  // Stops here and goes on where `next` stopped; returns when another fiber switches back.
  void SwitchTo(Fiber& next);
  // REQUIRES: called first of all in an `entry`.
  static void Arrived();

  // False when the stack has been overrun.
  bool StackWhole() const;

 private:
  void* stack_pointer_ = nullptr;
  unsigned char* stack_ = nullptr;  // nullptr: the thread's own
  const void* bottom_ = nullptr;    // for the address sanitizer: where the stack lies
  std::size_t bytes_ = 0;
  void* fake_stack_ = nullptr;
  void* thread_sanitizer_ = nullptr;
};

// For the thread sanitizer, which then finds races between the threads of a block: what happened before Released(token)
// happened before what follows an Acquired(token) that comes later. Nothing otherwise.
#if defined(EMULATOR_FINDS_RACES)
void Released(void* token);
void Acquired(void* token);
#else
inline void Released(void*) {}
inline void Acquired(void*) {}
#endif

}  // namespace kernels::gpu::emulator
