#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libs/kvcache/block_allocator.h"
#include "libs/kvcache/block_id.h"
#include "libs/kvcache/internal/sip_hash.h"

namespace kvcache {

// How far a sequence's blocks were published: it belongs to the sequence, is made anew when its table is filled anew,
// and spares hashing its tokens from the start each time a block is whole.
struct PublishedPath {
  std::size_t blocks = 0;     // these are cached, and the sequence holds them
  std::uint64_t hash = 0;     // of their path; anything when there are none
  bool ends_private = false;  // what follows stays private: its hash collided
};

// Which blocks hold the keys and values of which prefixes, so that a sequence starts from what an earlier one computed:
// the second turn of a conversation, a system prompt that many share, the branches of a fork.
//
// A prefix is known by its whole blocks: a tree whose edges are block_size tokens, one root a tenant, so nothing is
// ever shared across tenants. A lookup compares tokens, not hashes alone: a collision costs a miss, never a wrong
// answer. The hash is keyed (SipHash), so that nobody can prepare prompts that collide.
//
// Ownership: holds one reference on each cached block. A cached block that no sequence holds may be evicted, the least
//            recently used first and children before parents; the scheduler asks for that when the allocator runs dry.
// Threading: confined to the scheduler thread.
// Memory:    O(blocks_total * block_size), allocated in the constructor but for the names of tenants.
class PrefixCache {
 public:
  // REQUIRES: `allocator` outlives this. `key` is secret and random in a server, fixed in a test.
  PrefixCache(BlockAllocator& allocator, std::int32_t block_size, const SipKey& key);
  ~PrefixCache();  // gives its references back

  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  // The longest cached run of whole blocks that holds a proper prefix of `tokens` (at least one token is left to
  // compute, because its logits are wanted). Each block gains a reference for the caller, who gives it back by Release.
  std::vector<BlockId> Acquire(std::string_view tenant, std::span<const std::int32_t> tokens);

  // How many tokens Acquire would find, without taking anything.
  std::int32_t CachedTokens(std::string_view tenant, std::span<const std::int32_t> tokens) const;

  // Makes the whole blocks of a sequence findable. Where an equal block is cached already, the sequence gets that one
  // instead of its own, which is released: so equal prompts that were computed side by side end up sharing.
  //   tokens : whose K/V are computed;  blocks : the sequence's table, block i holding tokens [i, i + 1) * block_size
  // Cost: O(blocks that `path` does not have yet).
  void Publish(std::string_view tenant, std::span<const std::int32_t> tokens, std::span<BlockId> blocks,
               PublishedPath& path);

  // Gives back a sequence's references, whether the blocks are cached or not.
  void Release(std::span<const BlockId> blocks);

  // Evicts until the allocator has `blocks` free ones, or nothing is left to evict. True: it has.
  bool MakeFree(std::uint32_t blocks);

  bool is_cached(BlockId block) const { return nodes_[static_cast<std::uint32_t>(block)].cached; }
  std::uint32_t blocks_cached() const { return blocks_cached_; }        // in the tree
  std::uint32_t blocks_evictable() const { return blocks_evictable_; }  // of those, held by no sequence

  // Aborts when a count, a reference or the order of eviction is wrong.
  void CheckInvariantsForTest() const;

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFFU;

  struct Node {  // of a cached block, by its id
    bool cached = false;
    std::uint32_t parent = kNone;                // the block before it
    std::uint32_t children = 0;                  // cached blocks whose parent this is
    std::uint64_t hash = 0;                      // of the whole path
    std::uint64_t tenant = 0;                    // serial of its root
    std::uint32_t older = kNone, newer = kNone;  // neighbours in the list of leaves that can be evicted
    bool listed = false;
  };
  struct Tenant {
    std::uint64_t serial = 0;
    std::uint32_t blocks = 0;  // cached; the entry goes with the last
  };

  std::uint64_t RootHash(std::string_view tenant) const;
  std::uint64_t ChildHash(std::uint64_t parent_hash, std::span<const std::int32_t> tokens) const;
  std::uint32_t FindChild(std::uint64_t tenant, std::uint32_t parent, std::uint64_t hash,
                          std::span<const std::int32_t> tokens) const;
  std::vector<std::uint32_t> Walk(std::string_view tenant, std::span<const std::int32_t> tokens) const;
  void Insert(Tenant& tenant, std::uint32_t block, std::uint32_t parent, std::uint64_t hash,
              std::span<const std::int32_t> tokens);
  void Evict(std::uint32_t block);
  void TakeReference(std::uint32_t block);
  void DropReference(std::uint32_t block);
  void List(std::uint32_t block, bool as_oldest);
  void Unlist(std::uint32_t block);
  std::span<const std::int32_t> TokensOf(std::uint32_t block) const;

  BlockAllocator& allocator_;
  const std::size_t block_size_;
  const SipKey key_;
  std::vector<Node> nodes_;                                       // [blocks_total]
  std::vector<std::int32_t> tokens_;                              // [blocks_total][block_size]
  absl::flat_hash_map<std::uint64_t, std::uint32_t> by_hash_;     // path hash -> block
  absl::flat_hash_map<std::string, Tenant> tenants_;              // those with cached blocks
  absl::flat_hash_map<std::uint64_t, std::string> tenant_names_;  // by serial
  std::uint64_t next_serial_ = 1;
  std::uint32_t oldest_ = kNone, newest_ = kNone;  // the list of leaves that can be evicted
  std::uint32_t blocks_cached_ = 0;
  std::uint32_t blocks_evictable_ = 0;
};

}  // namespace kvcache
