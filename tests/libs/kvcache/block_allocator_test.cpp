#include "libs/kvcache/block_allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

namespace kvcache {
namespace {

TEST(BlockAllocatorTest, FailedAllocationLeavesPoolAndOutputUntouched) {
  BlockAllocator allocator(/*blocks_total=*/2);
  std::array<BlockId, 3> out{BlockId{7}, BlockId{7}, BlockId{7}};
  EXPECT_FALSE(allocator.TryAllocate(out));
  EXPECT_EQ(allocator.blocks_free(), 2u);
  EXPECT_EQ(out[0], BlockId{7});
}

TEST(BlockAllocatorTest, SharedBlockIsFreedByItsLastReader) {
  BlockAllocator allocator(/*blocks_total=*/1);
  std::array<BlockId, 1> prefix;
  ASSERT_TRUE(allocator.TryAllocate(prefix));
  allocator.Share(prefix[0]);
  allocator.Release(prefix[0]);
  EXPECT_EQ(allocator.blocks_free(), 0u);
  allocator.Release(prefix[0]);
  EXPECT_EQ(allocator.blocks_free(), 1u);
  EXPECT_DEATH(allocator.Release(prefix[0]), "block is held");
}

TEST(BlockAllocatorTest, BlockOutsideThePoolIsABug) {
  BlockAllocator allocator(/*blocks_total=*/1);
  EXPECT_DEATH(allocator.Release(BlockId{1}), "block is held");
  EXPECT_DEATH(allocator.Share(BlockId{0}), "block is held");
}

// Goal: blocks are neither lost nor handed out twice, whatever the order of calls.
// Method: 10'000 random allocations, shares and releases from fixed seeds against a plain list of held references.
TEST(BlockAllocatorTest, FreePlusHeldIsConstantUnderRandomTraffic) {
  constexpr std::uint32_t kBlocksTotal = 64;
  for (std::uint32_t seed : {1u, 42u, 777u}) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    BlockAllocator allocator(kBlocksTotal);
    std::vector<BlockId> references;
    std::mt19937 rng(seed);
    for (int step = 0; step < 10'000; ++step) {
      std::array<BlockId, 1> out;
      const auto action = rng() % 4;
      if (action < 2 && allocator.TryAllocate(out)) {
        ASSERT_EQ(std::count(references.begin(), references.end(), out[0]), 0);
        references.push_back(out[0]);
      } else if (action == 2 && !references.empty()) {
        references.push_back(references[rng() % references.size()]);
        allocator.Share(references.back());
      } else if (!references.empty()) {
        std::swap(references[rng() % references.size()], references.back());
        allocator.Release(references.back());
        references.pop_back();
      }
      std::vector<BlockId> held = references;
      std::sort(held.begin(), held.end());
      held.erase(std::unique(held.begin(), held.end()), held.end());
      ASSERT_EQ(allocator.blocks_free() + held.size(), kBlocksTotal);
    }
  }
}

}  // namespace
}  // namespace kvcache
