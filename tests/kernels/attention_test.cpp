#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "tests/kernels/kernel_test.h"

namespace kernels {
namespace {

// A paged cache with shuffled blocks whose unused slots hold NaN, so that a read beyond the context shows.
struct Cache {
  Cache(KvFormat format, std::int64_t kv_heads, std::int64_t block_size, std::int64_t head_dim,
        std::int64_t blocks_total)
      : kv{nullptr, nullptr, format, kv_heads, block_size, head_dim} {
    const auto elements = static_cast<std::size_t>(blocks_total * kv_heads * block_size * head_dim);
    k.assign(elements, std::numeric_limits<float>::quiet_NaN());
    v = k;
    k_half.assign(elements, 0x7e00);
    v_half = k_half;
    kv.k = format == KvFormat::kF32 ? static_cast<void*>(k.data()) : k_half.data();
    kv.v = format == KvFormat::kF32 ? static_cast<void*>(v.data()) : v_half.data();
    block_ids.resize(static_cast<std::size_t>(blocks_total));
    std::iota(block_ids.begin(), block_ids.end(), 0U);
    std::mt19937 rng(7);
    std::shuffle(block_ids.begin(), block_ids.end(), rng);
  }

  PagedKv kv;
  std::vector<float> k, v;
  std::vector<std::uint16_t> k_half, v_half;
  std::vector<std::uint32_t> block_ids;
};

class PagedAttentionTest : public KernelTest {
 protected:
  void FillTo(Cache& cache, std::int64_t from, std::int64_t context) {
    for (std::int64_t p = from; p < context; ++p) {
      const std::vector<float> k = Random(cache.kv.kv_heads * cache.kv.head_dim),
                               v = Random(cache.kv.kv_heads * cache.kv.head_dim);
      StoreKvRef(cache.kv, cache.block_ids[static_cast<std::size_t>(p / cache.kv.block_size)], p % cache.kv.block_size,
                 k.data(), v.data());
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, PagedAttentionTest, testing::ValuesIn(kCpuTargets), TargetName);

TEST_P(PagedAttentionTest, EqualsTheReferenceForEveryContextAndBlockSize) {
  constexpr std::int64_t kHeadDim = 64, kGroup = 3;
  for (KvFormat format : {KvFormat::kF32, KvFormat::kF16}) {
    for (std::int64_t block_size : {1, 5, 16, 33}) {
      Cache cache(format, /*kv_heads=*/2, block_size, kHeadDim, /*blocks_total=*/80 / block_size + 1);
      for (std::int64_t context = 1; context <= 70; ++context) {
        FillTo(cache, context - 1, context);
        const std::vector<float> q = Random(kGroup * kHeadDim);
        std::vector<float> expected(q.size()), actual(q.size());
        const PagedAttention attention{cache.kv, /*kv_head=*/context % 2, cache.block_ids.data(), context, kGroup,
                                       0.125F};
        PagedAttentionRef(attention, q.data(), expected.data());
        kernels_->paged_attention(attention, q.data(), actual.data());
        for (std::size_t i = 0; i < q.size(); ++i) {
          ASSERT_NEAR(actual[i], expected[i], 3e-6F) << "context " << context << " block_size " << block_size;
        }
      }
    }
  }
}

// Scores of +-200 overflow a softmax that does not subtract the maximum, and move the maximum from block to block.
TEST_P(PagedAttentionTest, LargeScoresNeitherOverflowNorVanish) {
  constexpr std::int64_t kHeadDim = 16;
  Cache cache(KvFormat::kF32, 1, 4, kHeadDim, 16);
  FillTo(cache, 0, 64);
  std::vector<float> q = Random(kHeadDim, 60.0F), expected(kHeadDim), actual(kHeadDim);
  const PagedAttention attention{cache.kv, 0, cache.block_ids.data(), 64, 1, 1.0F};
  PagedAttentionRef(attention, q.data(), expected.data());
  kernels_->paged_attention(attention, q.data(), actual.data());
  for (std::size_t i = 0; i < q.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 1e-4F);
}

}  // namespace
}  // namespace kernels
