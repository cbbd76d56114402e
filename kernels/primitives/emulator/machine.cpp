#include "kernels/primitives/emulator/machine.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>

constinit thread_local uint3 threadIdx{};
constinit thread_local uint3 blockIdx{};
constinit thread_local dim3 blockDim{};
constinit thread_local dim3 gridDim{};

namespace kernels::gpu::emulator {

constinit thread_local Machine* machine = nullptr;

Machine& ThisMachine() {
  thread_local std::unique_ptr<Machine> owner = std::make_unique<Machine>();
  machine = owner.get();
  return *machine;
}

Machine::Machine() {
  void* memory = mmap(nullptr, kThreadsMax * Fiber::kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("emulator: no memory for the stacks of a block's threads");
    std::abort();
  }
  stacks_ = static_cast<unsigned char*>(memory);
}

Machine::~Machine() {
  for (unsigned i = 0; i < kThreadsMax; ++i) {
    if (threads_[i].started) threads_[i].fiber.Destroy();
  }
  munmap(stacks_, kThreadsMax * Fiber::kStackBytes);
  machine = nullptr;
}

std::uint64_t Machine::Random() {  // splitmix64 (Steele, Lea, Flood 2014)
  random_ += 0x9E3779B97F4A7C15;
  std::uint64_t z = random_;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

bool Machine::CopyAtOnce() {
  if (order_ == Order::kRandom) return (Random() & 1U) != 0;
  return order_ == Order::kDescending;
}

void Machine::Run(const Shape& shape, void (*body)(const void*), const void* arguments) {
  if (running_) emulator::Fail("a launch from within a kernel");
  shape_ = shape;
  body_ = body;
  arguments_ = arguments;
  running_ = true;
  seed_ = ScheduleSeed();
  order_ = seed_ == 0 ? Order::kAscending : seed_ == 1 ? Order::kDescending : Order::kRandom;
  random_ = seed_;
  thread_count_ = shape.block.x * shape.block.y * shape.block.z;
  warp_count_ = (thread_count_ + 31) / 32;
  blockDim = shape.block;
  gridDim = shape.grid;
  void* shared = nullptr;
  if (posix_memalign(&shared, 1024, shape.shared_bytes) != 0) std::abort();
  shared_ = static_cast<unsigned char*>(shared);

  for (unsigned i = 0; i < thread_count_; ++i) {
    Thread& thread = threads_[i];
    thread.index = {i % shape.block.x, i / shape.block.x % shape.block.y, i / (shape.block.x * shape.block.y)};
    if (!thread.started) {
      thread.fiber.Start(stacks_ + i * Fiber::kStackBytes, i, ThreadMain);
      thread.started = true;
    }
  }
  const std::uint64_t blocks = std::uint64_t{shape.grid.x} * shape.grid.y * shape.grid.z;
  // Random: every block once, because an odd step and a power of two have no common factor.
  const std::uint64_t places = std::bit_ceil(blocks), step = Random() | 1U, start = Random();
  for (std::uint64_t i = 0; i < (order_ == Order::kRandom ? places : blocks); ++i) {
    const std::uint64_t block = order_ == Order::kAscending    ? i
                                : order_ == Order::kDescending ? blocks - 1 - i
                                                               : (start + i * step) & (places - 1);
    if (block >= blocks) continue;
    blockIdx = {static_cast<unsigned>(block % shape.grid.x), static_cast<unsigned>(block / shape.grid.x % shape.grid.y),
                static_cast<unsigned>(block / shape.grid.x / shape.grid.y)};
    RunBlock();
  }
  std::free(shared_);
  shared_ = nullptr;
  running_ = false;
}

void Machine::RunBlock() {
  if (shape_.shared_bytes != 0) std::memset(shared_, 0xFF, shape_.shared_bytes);
  for (BarrierState& barrier : barriers_) barrier = {};
  for (unsigned w = 0; w < warp_count_; ++w) {
    const unsigned lanes = std::min(thread_count_ - w * 32, 32U);
    warps_[w].live = warps_[w].runnable = lanes == 32 ? 0xFFFFFFFFU : (1U << lanes) - 1U;
    warps_[w].meeting_count = 0;
    std::memset(warps_[w].at_barrier, 0, sizeof(warps_[w].at_barrier));
  }
  live_ = thread_count_;
  waited_for_previous_ = false;
  round_ = 0;
  warp_ = order_ == Order::kDescending ? 0 : warp_count_ - 1;  // the round begins with the one after it
  leave_warp_ = true;
  Released(&block_begins_);
  if (Thread* first = Next(); first != nullptr) launcher_.SwitchTo(first->fiber);
  Acquired(&block_ends_);
  if (shape_.overlap && !waited_for_previous_) {
    emulator::Fail(
        "a block of an overlapping kernel ended without WaitForPreviousKernel: what comes behind it would "
        "not wait for the kernel before");
  }
  for (unsigned i = 0; i < thread_count_; ++i) {
    if (!threads_[i].fiber.StackWhole()) {
      current_ = i;
      emulator::Fail("the thread's stack of %zu bytes is too small: local arrays that large would spill on a card",
                     Fiber::kStackBytes);
    }
  }
}

// A fiber's whole life: one thread of one block after another.
void Machine::ThreadMain() {
  Fiber::Arrived();
  while (true) {
    Acquired(&machine->block_begins_);
    machine->body_(machine->arguments_);
    Released(&machine->block_ends_);
    machine->EndThread();
  }
}

void Machine::EndThread() {
  Thread& self = threads_[current_];
  self.copies.clear();
  self.groups.clear();
  Warp& warp = warps_[current_ / 32];
  warp.live &= ~(1U << lane());
  --live_;
  // Whoever has ended counts as arrived.
  for (unsigned i = warp.meeting_count; i-- > 0;) CloseMeetingIfFull(warp, i);
  for (unsigned id = 0; id < kBarriers; ++id) OpenBarrierIfFull(id);
  Thread* next = Next();
  self.fiber.SwitchTo(next == nullptr ? launcher_ : next->fiber);
}

// The thread that goes on next, with the built-in variables set for it; nullptr when the block has ended.
Thread* Machine::Next() {
  if (round_ == 0 && !NextRound()) return nullptr;
  unsigned lane;
  if (order_ == Order::kAscending) {
    lane = static_cast<unsigned>(std::countr_zero(round_));
  } else if (order_ == Order::kDescending) {
    lane = 31U - static_cast<unsigned>(std::countl_zero(round_));
  } else {
    unsigned rest = round_;
    for (std::uint64_t skip = Random() % static_cast<unsigned>(std::popcount(round_)); skip > 0; --skip)
      rest &= rest - 1;
    lane = static_cast<unsigned>(std::countr_zero(rest));
  }
  round_ &= ~(1U << lane);
  warps_[warp_].runnable &= ~(1U << lane);
  current_ = warp_ * 32 + lane;
  Thread& thread = threads_[current_];
  thread.waits = nullptr;
  threadIdx = thread.index;
  return &thread;
}

// Warps run until all their lanes wait, one after another; at random, one round each.
bool Machine::NextRound() {
  if (order_ != Order::kRandom && !leave_warp_ && warps_[warp_].runnable != 0) {
    round_ = warps_[warp_].runnable;
    return true;
  }
  leave_warp_ = false;
  if (order_ == Order::kRandom) warp_ = static_cast<unsigned>(Random() % warp_count_);
  for (unsigned n = 0; n < warp_count_; ++n) {
    warp_ = order_ == Order::kDescending ? (warp_ == 0 ? warp_count_ : warp_) - 1 : (warp_ + 1) % warp_count_;
    if (warps_[warp_].runnable != 0) {
      round_ = warps_[warp_].runnable;
      return true;
    }
  }
  if (live_ != 0) ReportDeadlock();
  return false;
}

void Machine::Suspend() {
  Thread& self = threads_[current_];
  Thread* next = Next();
  if (next != &self) self.fiber.SwitchTo(next == nullptr ? launcher_ : next->fiber);
}

void Machine::Yield() {
  warps_[current_ / 32].runnable |= 1U << lane();
  leave_warp_ = true;
  Suspend();
}

unsigned Machine::Arrive(const char* name, unsigned id, unsigned wanted, bool predicate) {
  if (id >= kBarriers) emulator::Fail("%s: barrier %u; there are 16", name, id);
  BarrierState& barrier = barriers_[id];
  if (barrier.arrived == 0) {
    barrier.name = name;
    barrier.wanted = wanted;
  } else if (std::strcmp(barrier.name, name) != 0 || barrier.wanted != wanted) {
    emulator::Fail("%s (%u threads) at barrier %u, where others wait with %s (%u threads)", name, wanted, id,
                   barrier.name, barrier.wanted);
  }
  Thread& self = threads_[current_];
  self.waits = name;
  ++barrier.arrived;
  barrier.with_predicate += predicate ? 1U : 0U;
  warps_[current_ / 32].at_barrier[id] |= 1U << lane();
  Released(&tokens_[id].came);
  OpenBarrierIfFull(id);
  Suspend();
  Acquired(self.opened);
  return self.barrier_count;
}

void Machine::OpenBarrierIfFull(unsigned id) {
  BarrierState& barrier = barriers_[id];
  if (barrier.arrived == 0 || barrier.arrived < (barrier.wanted == 0 ? live_ : barrier.wanted)) return;
  Token* opened = &tokens_[id].opened[tokens_[id].openings++ % 2];
  Acquired(&tokens_[id].came);
  Released(opened);
  for (unsigned w = 0; w < warp_count_; ++w) {
    Warp& warp = warps_[w];
    for (unsigned lanes = warp.at_barrier[id]; lanes != 0; lanes &= lanes - 1) {
      Thread& thread = threads_[w * 32 + static_cast<unsigned>(std::countr_zero(lanes))];
      thread.barrier_count = barrier.with_predicate;
      thread.opened = opened;
    }
    warp.runnable |= warp.at_barrier[id];
    warp.at_barrier[id] = 0;
  }
  barrier = {};
  leave_warp_ = true;  // the first warp of the order begins again
  warp_ = order_ == Order::kDescending ? 0 : warp_count_ - 1;
  round_ = 0;
}

void Machine::Meet(const char* name, unsigned mask, WarpOperation operation, void* argument) {
  Warp& warp = warps_[current_ / 32];
  const unsigned bit = 1U << lane();
  if ((mask & bit) == 0) emulator::Fail("%s: the mask 0x%08x leaves out the calling lane %u", name, mask, lane());
  unsigned index = 0;
  while (index < warp.meeting_count && warp.meetings[index].mask != mask) ++index;
  if (index == warp.meeting_count) {
    warp.meetings[warp.meeting_count++] = {name, operation, mask, 0};
  } else if (std::strcmp(warp.meetings[index].name, name) != 0) {
    emulator::Fail("lanes disagree: %s with mask 0x%08x, where lanes 0x%08x wait at %s", name, mask,
                   warp.meetings[index].arrived, warp.meetings[index].name);
  }
  warp.meetings[index].arrived |= bit;
  warp.arguments[lane()] = argument;
  Thread& self = threads_[current_];
  self.waits = name;
  Released(&warp.came);
  CloseMeetingIfFull(warp, index);
  Suspend();
  Acquired(self.opened);
}

void Machine::CloseMeetingIfFull(Warp& warp, unsigned index) {
  const Warp::Meeting meeting = warp.meetings[index];
  if (meeting.arrived != (meeting.mask & warp.live)) return;
  warp.meetings[index] = warp.meetings[--warp.meeting_count];
  if (meeting.arrived == 0) return;
  Token* closed = &warp.closed[warp.closings++ % 4];
  void* lanes[32];
  for (unsigned lane = 0; lane < 32; ++lane) {
    const bool came = (meeting.arrived >> lane & 1U) != 0;
    lanes[lane] = came ? warp.arguments[lane] : nullptr;
    if (came) threads_[static_cast<unsigned>(&warp - warps_.get()) * 32 + lane].opened = closed;
  }
  Acquired(&warp.came);
  meeting.operation(lanes, meeting.arrived);
  Released(closed);
  warp.runnable |= meeting.arrived;
}

void Machine::ReportDeadlock() const {
  std::fprintf(stderr, "emulator: deadlock: %u of the block's %u threads have not ended and none can go on\n", live_,
               thread_count_);
  int lines = 0;
  const char* before = "";
  for (unsigned i = 0; i < thread_count_ && lines < 16; ++i) {
    const Thread& thread = threads_[i];
    const bool live = (warps_[i / 32].live >> i % 32 & 1U) != 0;
    const char* now = live ? thread.waits : "its end";
    if (std::strcmp(now, before) == 0) continue;  // the first of each run of threads that stand at the same place
    std::fprintf(stderr, "  from thread (%u, %u, %u): %s\n", thread.index.x, thread.index.y, thread.index.z, now);
    before = now;
    ++lines;
  }
  for (unsigned w = 0; w < warp_count_; ++w) {
    for (unsigned m = 0; m < warps_[w].meeting_count; ++m) {
      const Warp::Meeting& meeting = warps_[w].meetings[m];
      std::fprintf(stderr, "  warp %u: %s with mask 0x%08x: lanes 0x%08x never came\n", w, meeting.name, meeting.mask,
                   meeting.mask & warps_[w].live & ~meeting.arrived);
    }
  }
  emulator::Fail("deadlock: a barrier or a collective that some threads never reach");
}

void Machine::Fail(const char* format, std::va_list arguments) const {
  std::fputs("emulator: ", stderr);
  std::vfprintf(stderr, format, arguments);
  if (running_) {
    const uint3 index = threads_[current_].index;
    std::fprintf(stderr, "\n  grid (%u, %u, %u), block (%u, %u, %u), %u bytes of shared memory, schedule seed %llu\n",
                 shape_.grid.x, shape_.grid.y, shape_.grid.z, shape_.block.x, shape_.block.y, shape_.block.z,
                 shape_.shared_bytes, static_cast<unsigned long long>(seed_));
    std::fprintf(stderr, "  in block (%u, %u, %u), thread (%u, %u, %u)", blockIdx.x, blockIdx.y, blockIdx.z, index.x,
                 index.y, index.z);
  }
  std::fputc('\n', stderr);
  std::abort();
}

}  // namespace kernels::gpu::emulator
