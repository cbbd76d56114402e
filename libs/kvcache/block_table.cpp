#include "libs/kvcache/block_table.h"

#include "libs/base/check.h"

namespace kvcache {

BlockTable::BlockTable(std::int32_t block_size) : block_size_(block_size) { CHECK(block_size > 0); }

BlockTable::~BlockTable() { CHECK_MSG(blocks_.empty(), "blocks were given back"); }

std::int32_t BlockTable::BlocksFor(std::int32_t tokens, std::int32_t block_size) {
  CHECK(tokens >= 0 && block_size > 0);
  return tokens / block_size + (tokens % block_size != 0 ? 1 : 0);
}

bool BlockTable::TryReserve(std::int32_t tokens, BlockAllocator& allocator) {
  const auto needed = static_cast<std::size_t>(BlocksFor(tokens, block_size_));
  const std::size_t held = blocks_.size();
  if (needed <= held) return true;
  blocks_.resize(needed);
  if (allocator.TryAllocate(std::span(blocks_).subspan(held))) return true;
  blocks_.resize(held);
  return false;
}

void BlockTable::ReleaseAll(BlockAllocator& allocator) {
  for (BlockId block : blocks_) allocator.Release(block);
  blocks_.clear();
}

void BlockTable::Adopt(std::vector<BlockId> blocks) {
  CHECK(blocks_.empty());
  blocks_ = std::move(blocks);
}

}  // namespace kvcache
