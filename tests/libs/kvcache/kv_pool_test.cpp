#include "libs/kvcache/kv_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace kvcache {
namespace {

KvPoolShape SmallShape() {
  return {.layers = 2, .blocks_total = 3, .kv_heads = 2, .block_size = 4, .head_dim = 8, .dtype = KvDtype::kF16};
}

TEST(KvPoolTest, PlanesAreAlignedAndDoNotOverlap) {
  auto pool = KvPool::Create(SmallShape());
  ASSERT_TRUE(pool.ok()) << pool.status();
  const std::size_t plane_bytes = 3 * 2 * 4 * 8 * 2;
  const void* planes[] = {pool->k(0), pool->k(1), pool->v(0), pool->v(1)};
  for (const void* plane : planes) EXPECT_EQ(reinterpret_cast<std::uintptr_t>(plane) % 64, 0u);
  for (int i = 1; i < 4; ++i) {
    EXPECT_GE(static_cast<const std::byte*>(planes[i]) - static_cast<const std::byte*>(planes[i - 1]),
              static_cast<std::ptrdiff_t>(plane_bytes));
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

}  // namespace
}  // namespace kvcache
