#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/primitives/emulator/emulator.h"
#include "kernels/primitives/emulator/fiber.h"

namespace kernels::gpu::emulator {

constexpr unsigned kWarpsMax = kThreadsMax / 32;
constexpr unsigned kBarriers = 16;

using Token = std::uint64_t;  // an address for Released and Acquired

// A copy that has been asked for and not yet done.
struct PendingCopy {
  void* shared;
  const void* global;  // nullptr: zeros
};

struct Thread {
  Fiber fiber;
  uint3 index;
  bool started = false;         // the fiber exists
  const char* waits = nullptr;  // what for; nullptr: it can run
  unsigned barrier_count = 0;   // what the barrier that it left returned
  Token* opened = nullptr;      // of what it waited for
  std::vector<PendingCopy> copies;
  std::vector<std::size_t> groups;  // where each committed group ends in `copies`
};

struct Warp {
  // Lanes that came to one collective and wait for the others.
  struct Meeting {
    const char* name;
    WarpOperation operation;
    unsigned mask, arrived;
  };
  unsigned live = 0, runnable = 0;  // lanes
  unsigned at_barrier[kBarriers] = {};
  Meeting meetings[32];
  unsigned meeting_count = 0;
  void* arguments[32];
  Token came, closed[4];  // several, so that a lane that goes on late does not learn what the others did since
  unsigned closings = 0;
};

struct BarrierState {
  const char* name = nullptr;
  unsigned wanted = 0, arrived = 0, with_predicate = 0;
};
struct BarrierTokens {
  Token came, opened[2];
  unsigned openings = 0;
};

enum class Order { kAscending, kDescending, kRandom };

// One block at a time, on the thread that launched. There is no scheduler's stack: a fiber that must wait looks for the
// next one itself and switches to it, so one switch is one switch.
class Machine {
 public:
  Machine();
  ~Machine();
  void Run(const Shape& shape, void (*body)(const void*), const void* arguments);

  [[noreturn]] void Fail(const char* format, std::va_list arguments) const;
  bool running() const { return running_; }
  unsigned char* shared() const { return shared_; }
  unsigned lane() const { return current_ % 32; }
  Thread& thread() { return threads_[current_]; }

  void Yield();
  unsigned Arrive(const char* name, unsigned id, unsigned wanted, bool predicate);
  void Meet(const char* name, unsigned mask, WarpOperation operation, void* argument);
  bool CopyAtOnce();
  void WaitForPreviousKernel() { waited_for_previous_ = true; }

 private:
  static void ThreadMain();
  void RunBlock();
  void EndThread();
  void Suspend();
  Thread* Next();
  bool NextRound();
  void OpenBarrierIfFull(unsigned id);
  void CloseMeetingIfFull(Warp& warp, unsigned index);
  void ReportDeadlock() const;
  std::uint64_t Random();

  Shape shape_{};
  void (*body_)(const void*) = nullptr;
  const void* arguments_ = nullptr;
  bool running_ = false;
  bool waited_for_previous_ = false;  // a thread of the block did
  Order order_ = Order::kAscending;
  std::uint64_t seed_ = 0, random_ = 0;
  unsigned char* shared_ = nullptr;
  unsigned char* stacks_;

  unsigned thread_count_ = 0, warp_count_ = 0, live_ = 0, current_ = 0;
  unsigned warp_ = 0;        // whose round it is
  unsigned round_ = 0;       // its lanes that are still to run in this round
  bool leave_warp_ = false;  // the next round is another warp's
  BarrierState barriers_[kBarriers];
  BarrierTokens tokens_[kBarriers];
  Token block_begins_ = 0, block_ends_ = 0;
  Fiber launcher_;
  std::unique_ptr<Thread[]> threads_{new Thread[kThreadsMax]};
  std::unique_ptr<Warp[]> warps_{new Warp[kWarpsMax]};
};

// The calling thread's; nullptr before its first launch.
extern constinit thread_local Machine* machine;
Machine& ThisMachine();

}  // namespace kernels::gpu::emulator
