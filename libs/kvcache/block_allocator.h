#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libs/kvcache/block_id.h"

namespace kvcache {

// Hands out and takes back the fixed-size blocks of one KV-cache pool.
//
// Pure bookkeeping, so it runs and is tested without a model or a GPU. The memory belongs to KvPool.
// Blocks are reference-counted because sequences with a common prompt prefix share them.
//
// Threading: confined to the scheduler thread; holds no lock.
// Memory:    everything is allocated in the constructor, O(blocks_total) bytes.
// Metrics:   none here; the engine exports blocks_free() through EngineStats.
class BlockAllocator {
 public:
  explicit BlockAllocator(std::uint32_t blocks_total);  // REQUIRES: blocks_total > 0

  BlockAllocator(const BlockAllocator&) = delete;
  BlockAllocator& operator=(const BlockAllocator&) = delete;

  // Fills `out` with blocks of reference count 1, or returns false and leaves it untouched.
  // Running out is normal load, not an error: the caller preempts a sequence and retries.
  [[nodiscard]] bool TryAllocate(std::span<BlockId> out);

  void Share(BlockId block);    // adds a reader.   REQUIRES: `block` is held
  void Release(BlockId block);  // removes a reader; the last one frees it. REQUIRES: held

  std::uint32_t references(BlockId block) const { return ref_counts_[static_cast<std::uint32_t>(block)]; }  // 0: free
  std::uint32_t blocks_free() const { return static_cast<std::uint32_t>(free_.size()); }
  std::uint32_t blocks_total() const { return static_cast<std::uint32_t>(ref_counts_.size()); }

 private:
  std::vector<BlockId> free_;              // taken and returned at the back, so that warm blocks are reused first
  std::vector<std::uint32_t> ref_counts_;  // [blocks_total]; 0 = free
};

}  // namespace kvcache
