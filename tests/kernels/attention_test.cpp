#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

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

// Blocks before the window hold NaN and have ids outside the pool: reading one shows. Slots of the window's first block
// that lie before it have weight 0.
TEST_P(PagedAttentionTest, SeesTheWindowAlone) {
  constexpr std::int64_t kHeadDim = 32, kGroup = 2, kContextMax = 70;
  for (std::int64_t block_size : {1, 5, 16, 33}) {
    for (std::int64_t window : {1, 2, 7, 16, 40, 69, 70, 1000}) {
      Cache cache(KvFormat::kF16, /*kv_heads=*/1, block_size, kHeadDim, /*blocks_total=*/80 / block_size + 1);
      FillTo(cache, 0, kContextMax);
      for (std::int64_t context : {1, 2, 15, 16, 17, 41, 69, 70}) {
        const std::vector<float> q = Random(kGroup * kHeadDim);
        std::vector<float> expected(q.size()), actual(q.size());
        PagedAttention attention{cache.kv, 0, cache.block_ids.data(), context, kGroup, 0.2F, window};
        std::vector<std::uint32_t> ids = cache.block_ids;
        std::fill(ids.begin(), ids.begin() + attention.first() / block_size, 0xFFFFFFFFU);
        attention.block_ids = ids.data();
        PagedAttentionRef(attention, q.data(), expected.data());
        kernels_->paged_attention(attention, q.data(), actual.data());
        for (std::size_t i = 0; i < q.size(); ++i) {
          ASSERT_NEAR(actual[i], expected[i], 3e-6F) << "context " << context << " window " << window;
        }
        // The same as if the sequence began with the window: no key knows its position here.
        if (attention.first() % block_size == 0) {
          PagedAttention cut = attention;
          cut.window = 0;
          cut.context -= attention.first();
          cut.block_ids += attention.first() / block_size;
          PagedAttentionRef(cut, q.data(), expected.data());
          for (std::size_t i = 0; i < q.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 3e-6F);
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
