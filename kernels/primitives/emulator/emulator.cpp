#include "kernels/primitives/emulator/emulator.h"

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "kernels/primitives/emulator/machine.h"
#include "kernels/primitives/gpu/launch_errors.h"

namespace kernels::gpu::emulator {
namespace {

std::uint64_t FirstSeed() {
  const char* seed = std::getenv("MESH_EMULATOR_SEED");
  return seed == nullptr ? 0 : std::strtoull(seed, nullptr, 10);
}
thread_local std::uint64_t schedule_seed = FirstSeed();
std::atomic<unsigned> shared_limit{kSharedBytesMax};

#if defined(EMULATOR_FINDS_RACES)
extern "C" void __tsan_read16(void* address);
extern "C" void __tsan_write16(void* address);
#endif

void Copy(const PendingCopy& copy) {
#if defined(EMULATOR_FINDS_RACES)  // this file is not instrumented
  if (copy.global != nullptr) __tsan_read16(const_cast<void*>(copy.global));
  __tsan_write16(copy.shared);
#endif
  if (copy.global == nullptr) {
    std::memset(copy.shared, 0, 16);
  } else {
    std::memcpy(copy.shared, copy.global, 16);
  }
}

}  // namespace

void SetScheduleSeed(std::uint64_t seed) { schedule_seed = seed; }
std::uint64_t ScheduleSeed() { return schedule_seed; }

void SetSharedLimit(unsigned bytes) { shared_limit.store(bytes == 0 ? kSharedBytesMax : bytes); }
unsigned SharedLimit() { return shared_limit.load(); }

LaunchResult CheckShape(const Shape& shape) {
  const auto within = [](unsigned value, unsigned most) { return value >= 1 && value <= most; };
  const bool valid = within(shape.grid.x, std::numeric_limits<int>::max()) && within(shape.grid.y, 65535) &&
                     within(shape.grid.z, 65535) && within(shape.block.x, kThreadsMax) &&
                     within(shape.block.y, kThreadsMax) && within(shape.block.z, 64) &&
                     std::uint64_t{shape.block.x} * shape.block.y * shape.block.z <= kThreadsMax;
  if (!valid) return LaunchResult::Refused(kInvalidConfiguration);
  return shape.shared_bytes > SharedLimit() ? LaunchResult::Refused(kInvalidValue) : LaunchResult::Ok();
}

void RunGrid(const Shape& shape, void (*body)(const void*), const void* arguments) {
  ThisMachine().Run(shape, body, arguments);
}

void Fail(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  if (machine != nullptr) machine->Fail(format, arguments);
  std::fputs("emulator: ", stderr);
  std::vfprintf(stderr, format, arguments);
  std::fputc('\n', stderr);
  std::abort();
}

unsigned char* DynamicSharedMemory() { return machine->shared(); }
void WaitForPreviousKernel() { machine->WaitForPreviousKernel(); }
void Yield() { machine->Yield(); }
unsigned Lane() { return machine->lane(); }
unsigned Barrier(const char* name, unsigned id, unsigned threads, bool predicate) {
  return machine->Arrive(name, id, threads, predicate);
}
void WarpCollective(const char* name, unsigned mask, WarpOperation operation, void* argument) {
  machine->Meet(name, mask, operation, argument);
}

void CopyAsync16(void* shared, const void* global, bool take) {
  CheckAligned(shared, 16, "cp.async to shared memory");
  CheckAligned(global, 16, "cp.async from global memory");
  const PendingCopy copy{shared, take ? global : nullptr};
  if (machine->CopyAtOnce()) {
    Copy(copy);
  } else {
    machine->thread().copies.push_back(copy);
  }
}

void CopyAsyncCommit() { machine->thread().groups.push_back(machine->thread().copies.size()); }

void CopyAsyncWait(int unfinished) {
  Thread& thread = machine->thread();
  if (thread.groups.size() <= static_cast<std::size_t>(unfinished)) return;
  const std::size_t groups = thread.groups.size() - static_cast<std::size_t>(unfinished);
  const std::size_t copies = thread.groups[groups - 1];
  for (std::size_t i = 0; i < copies; ++i) Copy(thread.copies[i]);
  thread.copies.erase(thread.copies.begin(), thread.copies.begin() + static_cast<std::ptrdiff_t>(copies));
  thread.groups.erase(thread.groups.begin(), thread.groups.begin() + static_cast<std::ptrdiff_t>(groups));
  for (std::size_t& end : thread.groups) end -= copies;
}

}  // namespace kernels::gpu::emulator
