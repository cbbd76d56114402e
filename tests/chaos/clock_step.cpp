// Steps the wall clock of one process, under load: preloaded (LD_PRELOAD) into services by the fault harness.
//
// Takes the place of std::chrono::system_clock::now, which all code of ours asks (base::Clock), and adds the
// milliseconds that stand in the file named by MESH_CHAOS_CLOCK. Why not libfaketime or clock_gettime: those also move
// what libraries compute absolute deadlines from, while the kernel, which waits for them, keeps its own clock; a step
// then shows hangs that no real step has. So what libraries do with a stepped wall clock is not tested here.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

using OffsetMs = std::atomic<std::int64_t>;

// The file, mapped once; null when there is none, and then the clock is the machine's.
const OffsetMs* MapOffset() {
  const char* path = std::getenv("MESH_CHAOS_CLOCK");
  if (path == nullptr) return nullptr;
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* const at = ::mmap(nullptr, sizeof(OffsetMs), PROT_READ, MAP_SHARED, file, 0);
  ::close(file);
  return at == MAP_FAILED ? nullptr : static_cast<const OffsetMs*>(at);
}

}  // namespace

std::chrono::system_clock::time_point std::chrono::system_clock::now() noexcept {
  static const OffsetMs* const offset = MapOffset();
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto stepped = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec) +
                       std::chrono::milliseconds(offset == nullptr ? 0 : offset->load(std::memory_order_relaxed));
  return time_point(std::chrono::duration_cast<duration>(stepped));
}
