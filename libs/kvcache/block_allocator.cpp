#include "libs/kvcache/block_allocator.h"

#include <limits>

#include "libs/base/check.h"

namespace kvcache {

BlockAllocator::BlockAllocator(std::uint32_t blocks_total) : ref_counts_(blocks_total, 0) {
  CHECK(blocks_total > 0);
  free_.reserve(blocks_total);
  for (std::uint32_t i = blocks_total; i > 0; --i) free_.push_back(BlockId{i - 1});
}

bool BlockAllocator::TryAllocate(std::span<BlockId> out) {
  if (out.size() > free_.size()) return false;
  for (BlockId& block : out) {
    block = free_.back();
    free_.pop_back();
    ref_counts_[static_cast<std::uint32_t>(block)] = 1;
  }
  return true;
}

void BlockAllocator::Share(BlockId block) {
  const auto index = static_cast<std::uint32_t>(block);
  CHECK_MSG(index < blocks_total() && ref_counts_[index] > 0, "block is held");
  CHECK(ref_counts_[index] < std::numeric_limits<std::uint32_t>::max());
  ++ref_counts_[index];
}

void BlockAllocator::Release(BlockId block) {
  const auto index = static_cast<std::uint32_t>(block);
  CHECK_MSG(index < blocks_total() && ref_counts_[index] > 0, "block is held");
  if (--ref_counts_[index] == 0) free_.push_back(block);
}

}  // namespace kvcache
