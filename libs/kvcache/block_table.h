#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "libs/kvcache/block_allocator.h"
#include "libs/kvcache/block_id.h"

namespace kvcache {

// One sequence's blocks in position order: position p lies in block blocks()[p / block_size], slot p % block_size.
//
// Ownership: holds one reference on each of its blocks; the destructor requires that they were given back, because it
//            has no allocator to give them to.
// Threading: confined to the scheduler thread.
class BlockTable {
 public:
  explicit BlockTable(std::int32_t block_size);  // tokens in a block. REQUIRES: block_size > 0
  ~BlockTable();

  BlockTable(const BlockTable&) = delete;
  BlockTable& operator=(const BlockTable&) = delete;

  // Blocks needed to hold `tokens` positions.
  static std::int32_t BlocksFor(std::int32_t tokens, std::int32_t block_size);

  // Grows so that `tokens` positions fit, all or nothing. False: not enough free blocks, nothing changed.
  [[nodiscard]] bool TryReserve(std::int32_t tokens, BlockAllocator& allocator);

  void ReleaseAll(BlockAllocator& allocator);

  // Takes over blocks whose references the caller holds. REQUIRES: the table is empty.
  void Adopt(std::vector<BlockId> blocks);
  // Empties the table, whose references the caller gives back.
  void Forget() { blocks_.clear(); }

  // How many blocks are missing for `tokens` positions.
  std::int32_t BlocksMissing(std::int32_t tokens) const {
    return std::max(0, BlocksFor(tokens, block_size_) - static_cast<std::int32_t>(blocks_.size()));
  }

  std::span<const BlockId> blocks() const { return blocks_; }
  std::span<BlockId> mutable_blocks() { return blocks_; }  // who replaces a block moves the reference too
  std::int32_t block_size() const { return block_size_; }
  std::int32_t capacity_tokens() const { return static_cast<std::int32_t>(blocks_.size()) * block_size_; }

 private:
  std::int32_t block_size_;
  std::vector<BlockId> blocks_;
};

}  // namespace kvcache
