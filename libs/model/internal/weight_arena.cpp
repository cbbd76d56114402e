#include "libs/model/internal/weight_arena.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <new>

namespace model {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kChunkBytes = std::size_t{32} << 20;

std::size_t RoundUp(std::size_t bytes, std::size_t to) {
  if (bytes > SIZE_MAX - to) throw std::bad_alloc();
  return (bytes + to - 1) / to * to;
}

}  // namespace

void WeightArena::Free::operator()(std::uint8_t* p) const { std::free(p); }

std::uint8_t* WeightArena::Allocate(std::size_t bytes) {
  bytes = RoundUp(bytes, kCacheLine);
  if (bytes > size_ - used_) {
    const std::size_t size = RoundUp(std::max(bytes, kChunkBytes), kHugePage);
    auto* memory = static_cast<std::uint8_t*>(std::aligned_alloc(kHugePage, size));
    if (memory == nullptr) throw std::bad_alloc();
    chunks_.emplace_back(memory);
#if defined(MADV_HUGEPAGE)
    madvise(memory, size, MADV_HUGEPAGE);  // a wish; without it products of few rows are only slower
#endif
    size_ = size;
    used_ = 0;
  }
  std::uint8_t* start = chunks_.back().get() + used_;
  used_ += bytes;
  return start;
}

}  // namespace model
