#include <cstring>
#include <numeric>

#include "kernels/kvcache/paged_kv_gpu.h"
#include "tests/kernels/gpu/gpu_test.h"

namespace kernels::gpu {
namespace {

// A pool whose planes are further apart than their blocks need, and a size of block that leaves a tile half full.
constexpr std::int32_t kPlanes = 3, kBlocks = 7;

class BlockCopyTest : public GpuTest, public testing::WithParamInterface<std::int64_t> {
 protected:
  std::int64_t block_bytes() const { return GetParam(); }
  std::int64_t plane_bytes() const { return kBlocks * block_bytes() + 48; }

  std::vector<std::uint8_t> RandomPool() {
    std::vector<std::uint8_t> pool(kPlanes * plane_bytes());
    for (std::uint8_t& byte : pool) byte = static_cast<std::uint8_t>(rng_());
    return pool;
  }
  std::uint8_t* BlockOf(std::vector<std::uint8_t>& pool, std::int32_t plane, std::uint32_t block) const {
    return pool.data() + plane * plane_bytes() + block * block_bytes();
  }
  BlockCopy Copy(std::uint8_t* pool, const std::uint32_t* pairs, std::int32_t count) const {
    return {.pool = pool,
            .plane_bytes = plane_bytes(),
            .block_bytes = block_bytes(),
            .planes = kPlanes,
            .blocks_total = kBlocks,
            .pairs = pairs,
            .count = count};
  }
  BlockSwap Swap(std::uint8_t* pool, const std::uint32_t* ids, std::int32_t count, std::uint8_t* staging) const {
    return {.pool = pool,
            .plane_bytes = plane_bytes(),
            .block_bytes = block_bytes(),
            .planes = kPlanes,
            .blocks_total = kBlocks,
            .ids = ids,
            .count = count,
            .staging = staging};
  }
};

TEST_P(BlockCopyTest, CopiesWholeBlocksOfEveryPlaneAndNothingElse) {
  std::vector<std::uint8_t> expected = RandomPool();
  DeviceArray<std::uint8_t> pool(expected);
  DeviceArray<std::uint32_t> pairs(std::vector<std::uint32_t>{6, 0, 2, 5, 3, 4});
  ASSERT_LAUNCHED(CopyBlocks(Copy(pool.get(), pairs.get(), 3), nullptr));
  for (std::int32_t plane = 0; plane < kPlanes; ++plane) {
    for (const auto& [from, to] : {std::pair{6U, 0U}, {2U, 5U}, {3U, 4U}}) {
      std::memcpy(BlockOf(expected, plane, to), BlockOf(expected, plane, from), block_bytes());
    }
  }
  EXPECT_EQ(pool.Read(), expected);
}

TEST_P(BlockCopyTest, GathersIntoStagingAndScattersBackElsewhere) {
  std::vector<std::uint8_t> host = RandomPool();
  DeviceArray<std::uint8_t> pool(host), staging(kPlanes * 2 * block_bytes());
  DeviceArray<std::uint32_t> from(std::vector<std::uint32_t>{4, 1}), to(std::vector<std::uint32_t>{0, 6});
  ASSERT_LAUNCHED(GatherBlocks(Swap(pool.get(), from.get(), 2, staging.get()), nullptr));
  std::vector<std::uint8_t> gathered;
  for (std::int32_t plane = 0; plane < kPlanes; ++plane) {
    for (const std::uint32_t id : {4U, 1U}) {
      gathered.insert(gathered.end(), BlockOf(host, plane, id), BlockOf(host, plane, id) + block_bytes());
    }
  }
  EXPECT_EQ(staging.Read(), gathered);
  EXPECT_EQ(pool.Read(), host);

  ASSERT_LAUNCHED(ScatterBlocks(Swap(pool.get(), to.get(), 2, staging.get()), nullptr));
  for (std::int32_t plane = 0; plane < kPlanes; ++plane) {
    for (const auto& [source, target] : {std::pair{4U, 0U}, {1U, 6U}}) {
      std::memcpy(BlockOf(host, plane, target), BlockOf(host, plane, source), block_bytes());
    }
  }
  EXPECT_EQ(pool.Read(), host);
}

TEST_P(BlockCopyTest, CopiesUnderEveryScheduleAlike) {
  const std::vector<std::uint8_t> before = RandomPool();
  std::vector<std::uint8_t> expected = before;
  for (std::int32_t plane = 0; plane < kPlanes; ++plane) {
    std::memcpy(BlockOf(expected, plane, 0), BlockOf(expected, plane, 6), block_bytes());
    std::memcpy(BlockOf(expected, plane, 5), BlockOf(expected, plane, 6), block_bytes());
  }
  DeviceArray<std::uint32_t> pairs(std::vector<std::uint32_t>{6, 0, 6, 5}), ids(std::vector<std::uint32_t>{0, 5});
  ForEachSchedule([&] {
    DeviceArray<std::uint8_t> pool(before), other(before), staging(kPlanes * 2 * block_bytes());
    ASSERT_LAUNCHED(CopyBlocks(Copy(pool.get(), pairs.get(), 2), nullptr));
    EXPECT_EQ(pool.Read(), expected);
    ASSERT_LAUNCHED(GatherBlocks(Swap(pool.get(), ids.get(), 2, staging.get()), nullptr));
    ASSERT_LAUNCHED(ScatterBlocks(Swap(other.get(), ids.get(), 2, staging.get()), nullptr));
    EXPECT_EQ(other.Read(), expected);
  });
}

TEST_P(BlockCopyTest, IdsOutsideThePoolAreSkipped) {
  std::vector<std::uint8_t> expected = RandomPool();
  DeviceArray<std::uint8_t> pool(expected), staging(kPlanes * 2 * block_bytes());
  DeviceArray<std::uint32_t> pairs(std::vector<std::uint32_t>{1, kBlocks, 0xFFFFFFFFU, 2});
  ASSERT_LAUNCHED(CopyBlocks(Copy(pool.get(), pairs.get(), 2), nullptr));
  EXPECT_EQ(pool.Read(), expected);
  DeviceArray<std::uint32_t> ids(std::vector<std::uint32_t>{0x80000000U, kBlocks});
  ASSERT_LAUNCHED(ScatterBlocks(Swap(pool.get(), ids.get(), 2, staging.get()), nullptr));
  EXPECT_EQ(pool.Read(), expected);
}

TEST_P(BlockCopyTest, NothingToDoIsOk) {
  DeviceArray<std::uint8_t> pool(std::size_t(kPlanes * plane_bytes()));
  ASSERT_LAUNCHED(CopyBlocks(Copy(pool.get(), nullptr, 0), nullptr));
  ASSERT_LAUNCHED(GatherBlocks(Swap(pool.get(), nullptr, 0, nullptr), nullptr));
  ASSERT_LAUNCHED(ScatterBlocks(Swap(pool.get(), nullptr, 0, nullptr), nullptr));
}

TEST_P(BlockCopyTest, RefusesWhatItCannotCopy) {
  DeviceArray<std::uint8_t> pool(std::size_t(kPlanes * plane_bytes())), staging(std::size_t(kPlanes * block_bytes()));
  DeviceArray<std::uint32_t> pairs(std::vector<std::uint32_t>{0, 1});
  const auto refused = [&](auto change) {
    BlockCopy copy = Copy(pool.get(), pairs.get(), 1);
    change(copy);
    EXPECT_REFUSED(CopyBlocks(copy, nullptr));
    BlockSwap swap = Swap(pool.get(), pairs.get(), 1, staging.get());
    change(swap);
    EXPECT_REFUSED(GatherBlocks(swap, nullptr));
    EXPECT_REFUSED(ScatterBlocks(swap, nullptr));
  };
  refused([](auto& copy) { copy.block_bytes -= 8; });
  refused([](auto& copy) { copy.plane_bytes += 8; });
  refused([](auto& copy) { copy.plane_bytes = copy.block_bytes * (kBlocks - 1); });
  refused([](auto& copy) { copy.planes = 0; });
  refused([](auto& copy) { copy.count = -1; });
  refused([](auto& copy) { copy.blocks_total = 0; });
  refused([](auto& copy) { copy.pool = nullptr; });
  refused([](auto& copy) { copy.pool = static_cast<std::uint8_t*>(copy.pool) + 8; });
  refused([](auto& copy) { copy.planes = 65536; });  // of a grid
  EXPECT_REFUSED(CopyBlocks(Copy(pool.get(), Misaligned(pairs.get()), 1), nullptr));
  EXPECT_REFUSED(GatherBlocks(Swap(pool.get(), Misaligned(pairs.get()), 1, staging.get()), nullptr));
  EXPECT_REFUSED(CopyBlocks(Copy(pool.get(), nullptr, 1), nullptr));
  EXPECT_REFUSED(GatherBlocks(Swap(pool.get(), pairs.get(), 1, nullptr), nullptr));
}

// Three heads of 16 tokens by 64 in FP8; one unit; more than one tile of 16 KiB.
INSTANTIATE_TEST_SUITE_P(BlockBytes, BlockCopyTest, testing::Values(3 * 16 * 64, 16, 20 << 10));

}  // namespace
}  // namespace kernels::gpu
