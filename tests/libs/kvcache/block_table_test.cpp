#include "libs/kvcache/block_table.h"

#include <gtest/gtest.h>

namespace kvcache {
namespace {

TEST(BlockTableTest, BlocksForRoundsUp) {
  EXPECT_EQ(BlockTable::BlocksFor(0, 16), 0);
  EXPECT_EQ(BlockTable::BlocksFor(1, 16), 1);
  EXPECT_EQ(BlockTable::BlocksFor(16, 16), 1);
  EXPECT_EQ(BlockTable::BlocksFor(17, 16), 2);
}

TEST(BlockTableTest, GrowsByWholeBlocksAndKeepsTheEarlierOnes) {
  BlockAllocator allocator(4);
  BlockTable table(/*block_size=*/8);
  ASSERT_TRUE(table.TryReserve(5, allocator));
  const BlockId first = table.blocks()[0];
  ASSERT_TRUE(table.TryReserve(8, allocator));
  EXPECT_EQ(table.blocks().size(), 1u);
  ASSERT_TRUE(table.TryReserve(9, allocator));
  EXPECT_EQ(table.blocks().size(), 2u);
  EXPECT_EQ(table.blocks()[0], first);
  EXPECT_EQ(table.capacity_tokens(), 16);
  table.ReleaseAll(allocator);
  EXPECT_EQ(allocator.blocks_free(), 4u);
}

TEST(BlockTableTest, FailedReserveChangesNothing) {
  BlockAllocator allocator(2);
  BlockTable table(/*block_size=*/8);
  ASSERT_TRUE(table.TryReserve(8, allocator));
  EXPECT_FALSE(table.TryReserve(17, allocator));
  EXPECT_EQ(table.blocks().size(), 1u);
  EXPECT_EQ(allocator.blocks_free(), 1u);
  table.ReleaseAll(allocator);
}

TEST(BlockTableTest, LosingBlocksIsABug) {
  EXPECT_DEATH(
      {
        BlockAllocator allocator(1);
        BlockTable table(8);
        static_cast<void>(table.TryReserve(1, allocator));
      },
      "given back");
}

}  // namespace
}  // namespace kvcache
