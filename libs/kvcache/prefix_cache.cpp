#include "libs/kvcache/prefix_cache.h"

#include <algorithm>

#include "absl/strings/string_view.h"
#include "libs/base/check.h"

namespace kvcache {
namespace {

std::uint32_t IndexOf(BlockId block) { return static_cast<std::uint32_t>(block); }

}  // namespace

PrefixCache::PrefixCache(BlockAllocator& allocator, std::int32_t block_size, const SipKey& key)
    : allocator_(allocator),
      block_size_(static_cast<std::size_t>(block_size)),
      key_(key),
      nodes_(allocator.blocks_total()),
      tokens_(std::size_t{allocator.blocks_total()} * static_cast<std::size_t>(block_size)) {
  CHECK(block_size > 0);
  by_hash_.reserve(allocator.blocks_total());
}

PrefixCache::~PrefixCache() {
  for (std::uint32_t block = 0; block < nodes_.size(); ++block) {
    if (nodes_[block].cached) allocator_.Release(BlockId{block});
  }
}

std::uint64_t PrefixCache::RootHash(std::string_view tenant) const {
  return SipHash(key_, std::as_bytes(std::span(tenant.data(), tenant.size())));
}

// The parent's hash takes the place of half the key, so that a path is hashed block by block.
std::uint64_t PrefixCache::ChildHash(std::uint64_t parent_hash, std::span<const std::int32_t> tokens) const {
  return SipHash({key_.k0 ^ parent_hash, key_.k1}, std::as_bytes(tokens));
}

std::span<const std::int32_t> PrefixCache::TokensOf(std::uint32_t block) const {
  return std::span(tokens_).subspan(block * block_size_, block_size_);
}

std::uint32_t PrefixCache::FindChild(std::uint64_t tenant, std::uint32_t parent, std::uint64_t hash,
                                     std::span<const std::int32_t> tokens) const {
  const auto found = by_hash_.find(hash);
  if (found == by_hash_.end()) return kNone;
  const Node& node = nodes_[found->second];
  const bool same =
      node.tenant == tenant && node.parent == parent && std::ranges::equal(TokensOf(found->second), tokens);
  return same ? found->second : kNone;
}

// The cached blocks of the longest path that `tokens` follows.
std::vector<std::uint32_t> PrefixCache::Walk(std::string_view tenant, std::span<const std::int32_t> tokens) const {
  std::vector<std::uint32_t> path;
  const auto root = tenants_.find(absl::string_view(tenant.data(), tenant.size()));
  if (root == tenants_.end()) return path;
  std::uint64_t hash = RootHash(tenant);
  std::uint32_t parent = kNone;
  for (std::size_t begin = 0; begin + block_size_ <= tokens.size(); begin += block_size_) {
    const auto edge = tokens.subspan(begin, block_size_);
    hash = ChildHash(hash, edge);
    parent = FindChild(root->second.serial, parent, hash, edge);
    if (parent == kNone) break;
    path.push_back(parent);
  }
  return path;
}

std::int32_t PrefixCache::CachedTokens(std::string_view tenant, std::span<const std::int32_t> tokens) const {
  if (tokens.empty()) return 0;
  return static_cast<std::int32_t>(Walk(tenant, tokens.first(tokens.size() - 1)).size() * block_size_);
}

std::vector<BlockId> PrefixCache::Acquire(std::string_view tenant, std::span<const std::int32_t> tokens) {
  std::vector<BlockId> blocks;
  if (tokens.empty()) return blocks;
  for (std::uint32_t block : Walk(tenant, tokens.first(tokens.size() - 1))) {
    TakeReference(block);
    blocks.push_back(BlockId{block});
  }
  return blocks;
}

void PrefixCache::Publish(std::string_view tenant_name, std::span<const std::int32_t> tokens, std::span<BlockId> blocks,
                          PublishedPath& path) {
  const std::size_t whole = tokens.size() / block_size_;
  CHECK(whole <= blocks.size());
  if (whole <= path.blocks || path.ends_private) return;
  const std::string name(tenant_name);
  Tenant& tenant = tenants_[name];
  if (tenant.serial == 0) {
    tenant.serial = next_serial_++;
    tenant_names_[tenant.serial] = name;
  }
  if (path.blocks == 0) path.hash = RootHash(name);
  std::uint32_t parent = path.blocks == 0 ? kNone : IndexOf(blocks[path.blocks - 1]);
  for (std::size_t i = path.blocks; i < whole; ++i) {
    const auto edge = tokens.subspan(i * block_size_, block_size_);
    const std::uint64_t hash = ChildHash(path.hash, edge);
    const std::uint32_t own = IndexOf(blocks[i]);
    const std::uint32_t known = FindChild(tenant.serial, parent, hash, edge);
    if (known == kNone) {
      // A collision, or a block that is in the tree elsewhere: the rest of this sequence stays private.
      path.ends_private = by_hash_.contains(hash) || nodes_[own].cached;
      if (path.ends_private) break;
      Insert(tenant, own, parent, hash, edge);
      parent = own;
    } else {
      if (known != own) {
        TakeReference(known);
        DropReference(own);
        blocks[i] = BlockId{known};
      }
      parent = known;
    }
    path.hash = hash;
    path.blocks = i + 1;
  }
  if (tenant.blocks == 0) {
    tenant_names_.erase(tenant.serial);
    tenants_.erase(name);
  }
}

void PrefixCache::Insert(Tenant& tenant, std::uint32_t block, std::uint32_t parent, std::uint64_t hash,
                         std::span<const std::int32_t> tokens) {
  allocator_.Share(BlockId{block});  // the cache's own reference; the sequence keeps its
  std::ranges::copy(tokens, tokens_.begin() + static_cast<std::ptrdiff_t>(block * block_size_));
  nodes_[block] = {.cached = true, .parent = parent, .hash = hash, .tenant = tenant.serial};
  if (parent != kNone) ++nodes_[parent].children;
  by_hash_[hash] = block;
  ++tenant.blocks;
  ++blocks_cached_;
}

void PrefixCache::TakeReference(std::uint32_t block) {
  if (nodes_[block].cached && allocator_.references(BlockId{block}) == 1) {
    --blocks_evictable_;
    if (nodes_[block].listed) Unlist(block);
  }
  allocator_.Share(BlockId{block});
}

void PrefixCache::DropReference(std::uint32_t block) {
  allocator_.Release(BlockId{block});
  if (!nodes_[block].cached || allocator_.references(BlockId{block}) != 1) return;
  ++blocks_evictable_;
  if (nodes_[block].children == 0) List(block, /*as_oldest=*/false);
}

// From the end, so that of one sequence the deepest block is the oldest: a long tail goes before a shared beginning.
void PrefixCache::Release(std::span<const BlockId> blocks) {
  for (std::size_t i = blocks.size(); i > 0; --i) DropReference(IndexOf(blocks[i - 1]));
}

bool PrefixCache::MakeFree(std::uint32_t blocks) {
  while (allocator_.blocks_free() < blocks && oldest_ != kNone) Evict(oldest_);
  return allocator_.blocks_free() >= blocks;
}

void PrefixCache::Evict(std::uint32_t block) {
  Unlist(block);
  Node& node = nodes_[block];
  const std::uint32_t parent = node.parent;
  by_hash_.erase(node.hash);
  const auto name = tenant_names_.find(node.tenant);
  const auto tenant = tenants_.find(name->second);
  if (--tenant->second.blocks == 0) {
    tenants_.erase(tenant);
    tenant_names_.erase(name);
  }
  node = Node{};
  --blocks_cached_;
  --blocks_evictable_;
  allocator_.Release(BlockId{block});
  if (parent == kNone) return;
  // As old as its youngest child was, and that one was the oldest of all.
  if (--nodes_[parent].children == 0 && allocator_.references(BlockId{parent}) == 1) List(parent, /*as_oldest=*/true);
}

void PrefixCache::List(std::uint32_t block, bool as_oldest) {
  Node& node = nodes_[block];
  CHECK(!node.listed);
  node.listed = true;
  node.older = as_oldest ? kNone : newest_;
  node.newer = as_oldest ? oldest_ : kNone;
  (node.older == kNone ? oldest_ : nodes_[node.older].newer) = block;
  (node.newer == kNone ? newest_ : nodes_[node.newer].older) = block;
}

void PrefixCache::Unlist(std::uint32_t block) {
  Node& node = nodes_[block];
  CHECK(node.listed);
  node.listed = false;
  (node.older == kNone ? oldest_ : nodes_[node.older].newer) = node.newer;
  (node.newer == kNone ? newest_ : nodes_[node.newer].older) = node.older;
  node.older = node.newer = kNone;
}

void PrefixCache::CheckInvariantsForTest() const {
  std::uint32_t cached = 0, evictable = 0, listed = 0;
  std::vector<std::uint32_t> children(nodes_.size(), 0);
  for (std::uint32_t block = 0; block < nodes_.size(); ++block) {
    const Node& node = nodes_[block];
    if (!node.cached) continue;
    ++cached;
    CHECK_MSG(allocator_.references(BlockId{block}) >= 1, "the cache holds what it lists");
    const bool unheld = allocator_.references(BlockId{block}) == 1;
    evictable += unheld ? 1 : 0;
    if (node.parent == kNone) continue;
    CHECK_MSG(nodes_[node.parent].cached, "a child goes before its parent");
    CHECK_MSG(unheld || allocator_.references(BlockId{node.parent}) > 1, "who holds a child holds its parent");
    ++children[node.parent];
  }
  for (std::uint32_t block = 0; block < nodes_.size(); ++block) {
    const Node& node = nodes_[block];
    CHECK(node.children == children[block]);
    const bool leaf = node.cached && node.children == 0 && allocator_.references(BlockId{block}) == 1;
    CHECK_MSG(node.listed == leaf, "exactly the unheld leaves can be evicted");
  }
  for (std::uint32_t block = oldest_; block != kNone; block = nodes_[block].newer) ++listed;
  CHECK(listed <= evictable);
  CHECK(cached == blocks_cached_ && evictable == blocks_evictable_ && by_hash_.size() == cached);
}

}  // namespace kvcache
