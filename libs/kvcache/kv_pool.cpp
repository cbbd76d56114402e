#include "libs/kvcache/kv_pool.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "libs/base/check.h"
#include "libs/base/usable_memory.h"

namespace kvcache {
namespace {

constexpr std::size_t kAlignment = 64;  // a cache line and the widest vector
constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Of one token's head, and of a block in memory: what kernels::PagedKv asks for; the model checks that they agree.
std::size_t TokenBytes(const KvPoolShape& shape) {
  const auto head_dim = static_cast<std::size_t>(shape.head_dim);
  if (shape.dtype == KvDtype::kQ8) return head_dim + sizeof(float);
  return head_dim * (shape.dtype == KvDtype::kF32 ? 4 : 2);
}
std::size_t Slots(const KvPoolShape& shape) { return (static_cast<std::size_t>(shape.block_size) + 15) / 16 * 16; }

// In huge pages where the system gives them: attention reads pieces of a few KiB from all over the pool, and with pages
// of 4 KiB it waits as long for their addresses as for their contents (a decode of 1,024 tokens took 1.3 times as
// long).
std::byte* Allocate(std::size_t bytes) {
  if (bytes < kHugePage || bytes > SIZE_MAX - kHugePage) {
    return static_cast<std::byte*>(std::aligned_alloc(kAlignment, bytes));
  }
  const std::size_t whole_pages = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  void* memory = std::aligned_alloc(kHugePage, whole_pages);
#if defined(MADV_HUGEPAGE)
  if (memory != nullptr) madvise(memory, whole_pages, MADV_HUGEPAGE);  // a wish; without it the pool is only slower
#endif
  return static_cast<std::byte*>(memory);
}

}  // namespace

void KvPool::FreeDeleter::operator()(std::byte* p) const { std::free(p); }

absl::StatusOr<KvPool> KvPool::Create(const KvPoolShape& shape) {
  for (std::int32_t dimension : {shape.layers, shape.blocks_total, shape.kv_heads, shape.block_size, shape.head_dim}) {
    if (dimension <= 0) return absl::InvalidArgumentError("every dimension of the KV pool must be positive");
  }
  std::size_t block_bytes = TokenBytes(shape), layer_bytes = 0;
  if (__builtin_mul_overflow(block_bytes, static_cast<std::size_t>(shape.kv_heads), &block_bytes) ||
      __builtin_mul_overflow(block_bytes, Slots(shape), &block_bytes) ||
      __builtin_mul_overflow(block_bytes, static_cast<std::size_t>(shape.blocks_total), &layer_bytes) ||
      __builtin_add_overflow(layer_bytes, kAlignment - 1, &layer_bytes)) {
    return absl::ResourceExhaustedError("the KV pool's size overflows; lower kv_blocks");
  }
  layer_bytes -= layer_bytes % kAlignment;
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(layer_bytes, 2 * static_cast<std::size_t>(shape.layers), &bytes)) {
    return absl::ResourceExhaustedError("the KV pool's size overflows; lower kv_blocks");
  }
  // An allocation beyond would succeed, and the process be ended once its pages are written, in the middle of a busy
  // day.
  if (const std::int64_t usable = base::UsableMemoryBytes(); bytes > static_cast<std::size_t>(usable)) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a KV pool of ", bytes >> 20, " MiB is more than the ", usable >> 20,
                     " MiB of this machine or container; lower kv_blocks or swap_blocks"));
  }
  auto* memory = Allocate(bytes);
  if (memory == nullptr) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no memory for a KV pool of ", bytes >> 20, " MiB; lower kv_blocks or swap_blocks"));
  }
  return KvPool(shape, block_bytes, layer_bytes, memory);
}

void KvPool::CopyBlock(BlockId from, BlockId to) const {
  const auto source = static_cast<std::size_t>(from), target = static_cast<std::size_t>(to);
  const auto blocks_total = static_cast<std::size_t>(shape_.blocks_total);
  CHECK(source < blocks_total && target < blocks_total);
  if (source == target) return;
  for (std::int32_t i = 0; i < planes(); ++i) {
    std::memcpy(plane(i) + target * block_bytes_, plane(i) + source * block_bytes_, block_bytes_);
  }
}

}  // namespace kvcache
