#include "libs/kvcache/kv_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "libs/base/usable_memory.h"

namespace kvcache {
namespace {

KvPoolShape SmallShape() {
  return {.layers = 2, .blocks_total = 3, .kv_heads = 2, .block_size = 4, .head_dim = 8, .dtype = KvDtype::kF16};
}

TEST(KvPoolTest, PlanesAreAlignedAndDoNotOverlap) {
  auto pool = KvPool::Create(SmallShape());
  ASSERT_TRUE(pool.ok()) << pool.status();
  const std::size_t plane_bytes = 3 * 2 * 16 * 8 * 2;  // 4 slots take the memory of 16
  const void* planes[] = {pool->k(0), pool->k(1), pool->v(0), pool->v(1)};
  for (const void* plane : planes) EXPECT_EQ(reinterpret_cast<std::uintptr_t>(plane) % 64, 0u);
  for (int i = 1; i < 4; ++i) {
    EXPECT_GE(static_cast<const std::byte*>(planes[i]) - static_cast<const std::byte*>(planes[i - 1]),
              static_cast<std::ptrdiff_t>(plane_bytes));
  }
}

TEST(KvPoolTest, CopiesABlockInEveryPlaneAndNothingElse) {
  for (KvDtype dtype : {KvDtype::kF32, KvDtype::kF16, KvDtype::kQ8}) {
    KvPoolShape shape = SmallShape();
    shape.dtype = dtype;
    auto pool = KvPool::Create(shape);
    ASSERT_TRUE(pool.ok()) << pool.status();
    ASSERT_EQ(pool->planes(), 4);
    EXPECT_EQ(pool->plane(0), pool->k(0));
    EXPECT_EQ(pool->plane(3), pool->v(1));
    const auto byte = [&](std::int32_t plane, std::size_t block) {
      return static_cast<int>(plane * 16) + 1 + static_cast<int>(block);
    };
    const auto fill = [&](std::int32_t plane, std::size_t block) {
      std::memset(pool->plane(plane) + block * pool->block_bytes(), byte(plane, block), pool->block_bytes());
    };
    for (std::int32_t plane = 0; plane < 4; ++plane) {
      for (std::size_t block = 0; block < 3; ++block) fill(plane, block);
    }
    pool->CopyBlock(BlockId{2}, BlockId{0});
    for (std::int32_t plane = 0; plane < 4; ++plane) {
      for (std::size_t block = 0; block < 3; ++block) {
        const std::byte* at = pool->plane(plane) + block * pool->block_bytes();
        const auto expected = static_cast<std::byte>(byte(plane, block == 0 ? 2 : block));
        EXPECT_EQ(std::count(at, at + pool->block_bytes(), expected), static_cast<std::ptrdiff_t>(pool->block_bytes()));
      }
    }
  }
}

TEST(KvPoolTest, ImpossibleSizesAreRefusedWithTheKnobToTurn) {
  KvPoolShape shape = SmallShape();
  shape.blocks_total = std::numeric_limits<std::int32_t>::max();
  shape.kv_heads = std::numeric_limits<std::int32_t>::max();
  shape.head_dim = std::numeric_limits<std::int32_t>::max();
  auto pool = KvPool::Create(shape);
  EXPECT_EQ(pool.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(pool.status().message().find("kv_blocks"), std::string_view::npos);
  shape = SmallShape();
  shape.layers = 0;
  EXPECT_EQ(KvPool::Create(shape).status().code(), absl::StatusCode::kInvalidArgument);
  shape = SmallShape();
  shape.block_size = -1;
  EXPECT_EQ(KvPool::Create(shape).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(KvPoolTest, PoolBeyondTheMachinesMemoryIsRefusedBeforeAnythingIsWrittenToIt) {
  KvPoolShape shape = SmallShape();
  shape.block_size = 16;
  shape.head_dim = 1 << 20;  // 256 MiB a block: two bytes, and keys and values of 2 layers with 2 heads
  shape.blocks_total = static_cast<std::int32_t>(base::UsableMemoryBytes() >> 28) + 1;
  const auto pool = KvPool::Create(shape);
  ASSERT_EQ(pool.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(pool.status().message().find("this machine"), std::string_view::npos) << pool.status();
}

}  // namespace
}  // namespace kvcache
