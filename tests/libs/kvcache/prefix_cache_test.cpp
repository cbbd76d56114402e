#include "libs/kvcache/prefix_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <random>

namespace kvcache {
namespace {

constexpr SipKey kKey{1, 2};

std::vector<std::int32_t> Tokens(std::int32_t count, std::int32_t first = 0) {
  std::vector<std::int32_t> tokens;
  for (std::int32_t i = 0; i < count; ++i) tokens.push_back(first + i);
  return tokens;
}

class PrefixCacheTest : public testing::Test {
 protected:
  // Blocks as a sequence that computed `tokens` would hold them.
  std::vector<BlockId> Compute(std::size_t tokens) {
    std::vector<BlockId> blocks((tokens + 3) / 4);
    EXPECT_TRUE(cache_.MakeFree(static_cast<std::uint32_t>(blocks.size())));
    EXPECT_TRUE(allocator_.TryAllocate(blocks));
    return blocks;
  }
  // A sequence that ran and ended: its whole blocks stay in the cache.
  void RunAndEnd(const std::string& tenant, const std::vector<std::int32_t>& tokens) {
    std::vector<BlockId> blocks = Compute(tokens.size());
    PublishedPath path;
    cache_.Publish(tenant, tokens, blocks, path);
    cache_.Release(blocks);
  }

  BlockAllocator allocator_{8};
  PrefixCache cache_{allocator_, /*block_size=*/4, kKey};
};

TEST_F(PrefixCacheTest, ASecondTurnFindsTheWholeBlocksOfTheFirst) {
  RunAndEnd("a", Tokens(10));  // blocks of 4, 4 and 2 tokens: two are whole
  EXPECT_EQ(cache_.blocks_cached(), 2u);
  EXPECT_EQ(cache_.CachedTokens("a", Tokens(20)), 8);
  const std::vector<BlockId> blocks = cache_.Acquire("a", Tokens(20));
  EXPECT_EQ(blocks.size(), 2u);
  EXPECT_EQ(cache_.blocks_evictable(), 0u);
  cache_.Release(blocks);
  EXPECT_EQ(cache_.blocks_evictable(), 2u);
}

TEST_F(PrefixCacheTest, OneTokenIsAlwaysLeftToCompute) {
  RunAndEnd("a", Tokens(8));
  EXPECT_EQ(cache_.CachedTokens("a", Tokens(8)), 4);
  EXPECT_EQ(cache_.CachedTokens("a", Tokens(9)), 8);
  EXPECT_EQ(cache_.CachedTokens("a", {}), 0);
}

TEST_F(PrefixCacheTest, TenantsNeverShare) {
  RunAndEnd("a", Tokens(8));
  EXPECT_EQ(cache_.CachedTokens("b", Tokens(20)), 0);
  EXPECT_TRUE(cache_.Acquire("b", Tokens(20)).empty());
}

TEST_F(PrefixCacheTest, APathEndsWhereTheTokensDiffer) {
  RunAndEnd("a", Tokens(8));
  std::vector<std::int32_t> other = Tokens(12);
  other[5] = 99;
  EXPECT_EQ(cache_.CachedTokens("a", other), 4);
  other[0] = 99;
  EXPECT_EQ(cache_.CachedTokens("a", other), 0);
}

TEST_F(PrefixCacheTest, EqualPromptsComputedSideBySideEndUpSharing) {
  std::vector<BlockId> first = Compute(8), second = Compute(8);
  PublishedPath first_path, second_path;
  cache_.Publish("a", Tokens(8), first, first_path);
  cache_.Publish("a", Tokens(8), second, second_path);
  EXPECT_EQ(first, second);
  EXPECT_EQ(allocator_.blocks_free(), 6u);
  cache_.Release(first);
  cache_.Release(second);
  cache_.CheckInvariantsForTest();
}

TEST_F(PrefixCacheTest, TheLeastRecentlyUsedLeafIsEvictedFirst) {
  RunAndEnd("a", Tokens(8, 0));
  RunAndEnd("a", Tokens(8, 100));
  cache_.Release(cache_.Acquire("a", Tokens(9, 0)));  // used again: now the younger
  EXPECT_TRUE(cache_.MakeFree(5));
  EXPECT_EQ(cache_.CachedTokens("a", Tokens(9, 100)), 4);
  EXPECT_TRUE(cache_.MakeFree(6));
  EXPECT_EQ(cache_.CachedTokens("a", Tokens(9, 100)), 0);
  EXPECT_EQ(cache_.CachedTokens("a", Tokens(9, 0)), 8);
}

TEST_F(PrefixCacheTest, WhatASequenceHoldsIsNeverEvicted) {
  RunAndEnd("a", Tokens(8));
  const std::vector<BlockId> held = cache_.Acquire("a", Tokens(9));
  EXPECT_FALSE(cache_.MakeFree(7));
  EXPECT_EQ(cache_.blocks_cached(), 2u);
  cache_.Release(held);
  EXPECT_TRUE(cache_.MakeFree(8));
  EXPECT_EQ(cache_.blocks_cached(), 0u);
}

// Goal: no block is lost, shared across tenants or evicted while held, and a hit always has the right tokens.
// Method: 20,000 random steps of sequences that start, publish and end, from a fixed seed, against what each block was
// last filled with.
TEST(PrefixCachePropertyTest, RandomTrafficKeepsEveryPromise) {
  constexpr std::uint32_t kBlocks = 24;
  constexpr std::int32_t kSize = 4;
  BlockAllocator allocator(kBlocks);
  PrefixCache cache(allocator, kSize, kKey);
  struct Sequence {
    std::string tenant;
    std::vector<std::int32_t> tokens;
    std::vector<BlockId> blocks;
    PublishedPath path;
  };
  std::list<Sequence> running;
  std::vector<std::pair<std::string, std::vector<std::int32_t>>> content(kBlocks);  // tenant and prefix of each block
  std::mt19937 rng(/*seed=*/7);
  for (int step = 0; step < 20'000; ++step) {
    if (rng() % 2 == 0 && running.size() < 6) {
      Sequence sequence{.tenant = rng() % 2 == 0 ? "a" : "b", .tokens = {}, .blocks = {}, .path = {}};
      const std::size_t length = 1 + rng() % 20;
      for (std::size_t i = 0; i < length; ++i) sequence.tokens.push_back(static_cast<std::int32_t>(rng() % 10 == 0));
      sequence.blocks = cache.Acquire(sequence.tenant, sequence.tokens);
      for (std::size_t i = 0; i < sequence.blocks.size(); ++i) {
        const auto& [tenant, prefix] = content[static_cast<std::uint32_t>(sequence.blocks[i])];
        ASSERT_EQ(tenant, sequence.tenant);
        ASSERT_TRUE(std::ranges::equal(prefix, std::span(sequence.tokens).first((i + 1) * kSize)));
      }
      const std::size_t held = sequence.blocks.size(), needed = (length + kSize - 1) / kSize;
      if (!cache.MakeFree(static_cast<std::uint32_t>(needed - held))) {
        cache.Release(sequence.blocks);
        continue;
      }
      sequence.blocks.resize(needed);
      ASSERT_TRUE(allocator.TryAllocate(std::span(sequence.blocks).subspan(held)));
      for (std::size_t i = held; i < needed; ++i) {
        const std::size_t end = std::min(length, (i + 1) * kSize);
        content[static_cast<std::uint32_t>(sequence.blocks[i])] = {
            sequence.tenant, {sequence.tokens.begin(), sequence.tokens.begin() + static_cast<std::ptrdiff_t>(end)}};
      }
      running.push_back(std::move(sequence));
    } else if (!running.empty()) {
      auto sequence = std::next(running.begin(), static_cast<std::ptrdiff_t>(rng() % running.size()));
      // In pieces, as a sequence that is being computed does.
      const std::size_t half = rng() % (sequence->tokens.size() + 1);
      cache.Publish(sequence->tenant, std::span(sequence->tokens).first(half), sequence->blocks, sequence->path);
      cache.Publish(sequence->tenant, sequence->tokens, sequence->blocks, sequence->path);
      if (rng() % 2 == 0) {
        cache.Release(sequence->blocks);
        running.erase(sequence);
      }
    }
    cache.CheckInvariantsForTest();
    ASSERT_LE(cache.blocks_evictable() + allocator.blocks_free(), kBlocks);
  }
  for (const Sequence& sequence : running) cache.Release(sequence.blocks);
  EXPECT_TRUE(cache.MakeFree(kBlocks));
  EXPECT_EQ(cache.blocks_cached(), 0u);
}

}  // namespace
}  // namespace kvcache
