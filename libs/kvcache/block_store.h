#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "libs/kvcache/block_allocator.h"
#include "libs/kvcache/block_table.h"
#include "libs/kvcache/prefix_cache.h"
#include "libs/kvcache/step_batch.h"

namespace kvcache {

// The blocks of one pool as a scheduler sees them: allocator and prefix cache as one, so that a block which only the
// cache holds counts as free and is evicted when it is wanted.
//
// Threading: confined to the scheduler thread.
// Memory:    that of allocator and cache, in the constructor.
class BlockStore {
 public:
  // key: of the prefix cache; none: nothing is cached.
  BlockStore(std::uint32_t blocks_total, std::int32_t block_size, const std::optional<SipKey>& key);

  // Grows the table so that `tokens` positions fit, all or nothing. False: not even evicting makes room.
  [[nodiscard]] bool TryReserve(BlockTable& table, std::int32_t tokens);

  // Gives an empty table the longest cached prefix of `tokens`; returns how many tokens that are, always fewer than
  // there are. REQUIRES: no token is negative.
  std::int32_t Acquire(std::string_view tenant, std::span<const std::int32_t> tokens, BlockTable& table);

  // The same for a table that holds blocks: where the cache has more than the first `computed` positions by now, its
  // blocks take the place of the table's own. Returns the new count. REQUIRES: nothing was written behind `computed`.
  std::int32_t Extend(std::string_view tenant, std::span<const std::int32_t> tokens, std::int32_t computed,
                      BlockTable& table);

  // Makes the table's whole blocks of `tokens`, which are computed, findable; where the cache has an equal block, the
  // table gets that one. `path` is the sequence's own and remembers how far this went.
  void Publish(std::string_view tenant, std::span<const std::int32_t> tokens, BlockTable& table, PublishedPath& path);

  // Gives an empty table the blocks of another one as well: a fork.
  void Share(const BlockTable& from, BlockTable& to);

  // Before a write into block `index` of the table: when others hold it too, a block of its own takes its place, and
  // `copy` says what the caller must copy where. False: no block is free, nothing changed.
  [[nodiscard]] bool MakeWritable(BlockTable& table, std::size_t index, std::optional<BlockMove>& copy);

  void ReleaseAll(BlockTable& table);

  // How many blocks would become free with the table's.
  std::int32_t BlocksHeldAlone(const BlockTable& table) const;
  // How many of its first blocks somebody else holds as well, beside the cache.
  std::int32_t BlocksSharedAhead(const BlockTable& table) const;

  std::uint32_t blocks_free() const;  // free, or free for the asking
  std::uint32_t blocks_total() const { return allocator_.blocks_total(); }
  std::uint32_t references(BlockId block) const { return allocator_.references(block); }
  std::uint32_t holders(BlockId block) const { return references(block) - (is_cached(block) ? 1 : 0); }
  bool is_cached(BlockId block) const { return cache_.has_value() && cache_->is_cached(block); }

  void CheckInvariantsForTest() const;

 private:
  BlockAllocator allocator_;
  std::optional<PrefixCache> cache_;
};

}  // namespace kvcache
