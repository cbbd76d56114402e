#include "libs/kvcache/block_store.h"

#include <algorithm>
#include <vector>

#include "libs/base/check.h"

namespace kvcache {

BlockStore::BlockStore(std::uint32_t blocks_total, std::int32_t block_size, const std::optional<SipKey>& key)
    : allocator_(blocks_total) {
  if (key.has_value()) cache_.emplace(allocator_, block_size, *key);
}

bool BlockStore::TryReserve(BlockTable& table, std::int32_t tokens) {
  const std::int32_t needed = table.BlocksMissing(tokens);
  if (needed == 0) return true;
  if (static_cast<std::uint32_t>(needed) > blocks_free()) return false;  // evicts nothing in vain
  if (cache_.has_value()) cache_->MakeFree(static_cast<std::uint32_t>(needed));
  return table.TryReserve(tokens, allocator_);
}

std::int32_t BlockStore::Acquire(std::string_view tenant, std::span<const std::int32_t> tokens, BlockTable& table) {
  CHECK(table.blocks().empty());
  if (!cache_.has_value()) return 0;
  table.Adopt(cache_->Acquire(tenant, tokens));
  return table.capacity_tokens();
}

std::int32_t BlockStore::Extend(std::string_view tenant, std::span<const std::int32_t> tokens, std::int32_t computed,
                                BlockTable& table) {
  if (!cache_.has_value() || cache_->CachedTokens(tenant, tokens) <= computed) return computed;
  const std::vector<BlockId> cached = cache_->Acquire(tenant, tokens);
  const std::span<BlockId> own = table.mutable_blocks().first(cached.size());
  cache_->Release(own);
  std::ranges::copy(cached, own.begin());
  return static_cast<std::int32_t>(cached.size()) * table.block_size();
}

void BlockStore::Publish(std::string_view tenant, std::span<const std::int32_t> tokens, BlockTable& table,
                         PublishedPath& path) {
  if (cache_.has_value()) cache_->Publish(tenant, tokens, table.mutable_blocks(), path);
}

void BlockStore::Share(const BlockTable& from, BlockTable& to) {
  for (BlockId block : from.blocks()) allocator_.Share(block);  // held by `from`, so no count of the cache changes
  to.Adopt({from.blocks().begin(), from.blocks().end()});
}

bool BlockStore::MakeWritable(BlockTable& table, std::size_t index, std::optional<BlockMove>& copy) {
  copy.reset();
  BlockId& block = table.mutable_blocks()[index];
  if (references(block) == 1) return true;
  if (blocks_free() == 0) return false;
  if (cache_.has_value()) cache_->MakeFree(1);
  BlockId own;
  CHECK(allocator_.TryAllocate({&own, 1}));
  copy = BlockMove{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(own)};
  if (cache_.has_value()) {
    cache_->Release({&block, 1});
  } else {
    allocator_.Release(block);
  }
  block = own;
  return true;
}

std::int32_t BlockStore::BlocksHeldAlone(const BlockTable& table) const {
  return static_cast<std::int32_t>(std::ranges::count_if(table.blocks(), [&](BlockId b) { return holders(b) == 1; }));
}

std::int32_t BlockStore::BlocksSharedAhead(const BlockTable& table) const {
  const auto own = std::ranges::find_if(table.blocks(), [&](BlockId b) { return holders(b) == 1; });
  return static_cast<std::int32_t>(own - table.blocks().begin());
}

void BlockStore::ReleaseAll(BlockTable& table) {
  if (cache_.has_value()) {
    cache_->Release(table.blocks());
    table.Forget();
  } else {
    table.ReleaseAll(allocator_);
  }
}

std::uint32_t BlockStore::blocks_free() const {
  return allocator_.blocks_free() + (cache_.has_value() ? cache_->blocks_evictable() : 0);
}

void BlockStore::CheckInvariantsForTest() const {
  if (cache_.has_value()) cache_->CheckInvariantsForTest();
}

}  // namespace kvcache
