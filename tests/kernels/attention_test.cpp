#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "tests/kernels/kernel_test.h"

namespace kernels {
namespace {

// A paged cache with shuffled blocks whose unused slots hold NaN (in Q8: under a scale that is NaN), so that a read
// beyond the context shows.
struct Cache {
  Cache(KvFormat format, std::int64_t kv_heads, std::int64_t block_size, std::int64_t head_dim,
        std::int64_t blocks_total)
      : kv{nullptr, nullptr, format, kv_heads, block_size, head_dim} {
    planes.assign(static_cast<std::size_t>(2 * blocks_total * kv.BlockBytes() / 64 + 1), {});
    std::memset(planes.data(), 0xFF, planes.size() * 64);
    kv.k = planes.data();
    kv.v = planes.data() + blocks_total * kv.BlockBytes() / 64;
    block_ids.resize(static_cast<std::size_t>(blocks_total));
    std::iota(block_ids.begin(), block_ids.end(), 0U);
    std::mt19937 rng(7);
    std::shuffle(block_ids.begin(), block_ids.end(), rng);
  }

  struct alignas(64) Line {
    std::uint8_t bytes[64];
  };
  PagedKv kv;
  std::vector<Line> planes;
  std::vector<std::uint32_t> block_ids;
};

constexpr KvFormat kFormats[] = {KvFormat::kF32, KvFormat::kF16, KvFormat::kQ8};

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

  // Rows one after the other, without gaps.
  std::vector<float> Attend(const CpuKernels& kernels, const PagedAttention& attention) {
    std::vector<float> out(static_cast<std::size_t>(attention.rows * attention.group * attention.kv.head_dim));
    std::vector<float> memory(static_cast<std::size_t>(AttentionScratchFloats(attention.kv.head_dim)) + 16,
                              std::numeric_limits<float>::quiet_NaN());
    kernels.paged_attention(attention, Aligned(memory), out.data(), attention.group * attention.kv.head_dim);
    return out;
  }

  // By spans, as several threads would.
  std::vector<float> AttendInSpans(const CpuKernels& kernels, const PagedAttention& attention) {
    const std::int64_t tokens = SpanTokens(attention.kv.block_size), head_dim = attention.kv.head_dim;
    const std::int64_t begin = attention.first(attention.context) / tokens,
                       spans = (attention.context - 1) / tokens + 1 - begin;
    std::vector<float> parts(static_cast<std::size_t>(spans * attention.group * PartFloats(head_dim)));
    std::vector<float> memory(static_cast<std::size_t>(AttentionScratchFloats(head_dim)) + 16);
    for (std::int64_t s = spans - 1; s >= 0; --s) {
      kernels.attention_span(attention, begin + s, Aligned(memory),
                             parts.data() + s * attention.group * PartFloats(head_dim));
    }
    std::vector<float> out(static_cast<std::size_t>(attention.group * head_dim));
    kernels.join_spans(parts.data(), spans, attention.group, head_dim, out.data());
    return out;
  }

  static float* Aligned(std::vector<float>& memory) {
    return reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) / 64 * 64);
  }

  void ExpectNear(const std::vector<float>& actual, const std::vector<float>& expected, float tolerance) {
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], tolerance) << "at " << i;
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, PagedAttentionTest, testing::ValuesIn(kCpuTargets), TargetName);

TEST_P(PagedAttentionTest, EqualsTheReferenceForEveryContextAndBlockSize) {
  constexpr std::int64_t kGroup = 3;
  const struct {
    std::int64_t block_size, head_dim;
    std::vector<std::int64_t> contexts;
  } shapes[] = {{1, 32, {1, 2, 15, 17, 128, 129, 256, 257}},
                {5, 32, {1, 5, 6, 16, 129, 130, 131, 260, 261, 299}},
                {16, 64, {1, 15, 16, 17, 63, 65, 127, 128, 129, 257}},
                {33, 32, {1, 16, 33, 34, 132, 133, 299}},
                {256, 32, {1, 17, 256, 257}},
                {16, 16, {1, 40}},
                {16, 96, {1, 140}},
                {16, 256, {1, 140}}};
  for (KvFormat format : kFormats) {
    for (const auto& shape : shapes) {
      Cache cache(format, /*kv_heads=*/2, shape.block_size, shape.head_dim,
                  /*blocks_total=*/300 / shape.block_size + 1);
      FillTo(cache, 0, shape.contexts.back());
      const std::vector<float> q = Random(kGroup * shape.head_dim);
      for (std::int64_t context : shape.contexts) {
        SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format) << " block_size " << shape.block_size
                                        << " head_dim " << shape.head_dim << " context " << context);
        const PagedAttention attention{
            cache.kv, context % 2, cache.block_ids.data(), context, 1, kGroup, 0.125F, 0, q.data(), 0};
        const std::vector<float> expected = Attend(*CpuKernelsFor(CpuTarget::kReference), attention);
        const float tolerance = format == KvFormat::kQ8 ? 1e-3F : 5e-6F;  // 14 bits of the largest weight
        ExpectNear(Attend(*kernels_, attention), expected, tolerance);
        ExpectNear(AttendInSpans(*kernels_, attention), expected, tolerance);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// Blocks before the window and behind the context hold NaN and have ids outside the pool: reading one shows. Slots of
// the window's first block that lie before it have weight 0.
TEST_P(PagedAttentionTest, SeesTheWindowAlone) {
  constexpr std::int64_t kHeadDim = 32, kGroup = 2, kContextMax = 290, kRows = 6;
  for (KvFormat format : kFormats) {
    for (std::int64_t block_size : {1, 5, 16, 33}) {
      Cache cache(format, /*kv_heads=*/1, block_size, kHeadDim, /*blocks_total=*/300 / block_size + 1);
      FillTo(cache, 0, kContextMax);
      for (std::int64_t window : {1, 7, 16, 70, 1000}) {
        for (std::int64_t context : {1, 17, 69, 126, 256}) {
          SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format) << " block_size " << block_size
                                          << " window " << window << " context " << context);
          const std::vector<float> q = Random(kRows * kGroup * kHeadDim);
          PagedAttention attention{cache.kv, 0,        cache.block_ids.data(), context, kRows, kGroup, 0.2F,
                                   window,   q.data(), kGroup * kHeadDim};
          const std::vector<float> expected = Attend(*CpuKernelsFor(CpuTarget::kReference), attention);
          std::vector<std::uint32_t> ids = cache.block_ids;
          std::fill(ids.begin(), ids.begin() + attention.first(context) / block_size, 0xFFFFFFFFU);
          std::fill(ids.begin() + (context + kRows - 2) / block_size + 1, ids.end(), 0xFFFFFFFFU);
          attention.block_ids = ids.data();
          ExpectNear(Attend(*kernels_, attention), expected, format == KvFormat::kQ8 ? 1e-3F : 5e-6F);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

// The bits of a row don't depend on which rows came with it, nor on whether its spans were computed apart. The rows
// behind it may even be infinite. One row of three is asked alone, another third in each combination.
TEST_P(PagedAttentionTest, ARowHasTheSameBitsInEveryTileAndBySpans) {
  if (GetParam() == CpuTarget::kReference) GTEST_SKIP() << "the reference knows no spans";
  constexpr std::int64_t kHeadDim = 64, kContextMax = 300;
  std::int64_t combination = 0;
  for (KvFormat format : kFormats) {
    for (std::int64_t group : {1, 3, 7}) {
      for (std::int64_t window : {0, 150}) {
        ++combination;
        Cache cache(format, 1, 16, kHeadDim, kContextMax / 16 + 1);
        FillTo(cache, 0, kContextMax - 1);
        const std::vector<float> infinite(kHeadDim, std::numeric_limits<float>::infinity());
        StoreKvRef(cache.kv, cache.block_ids[(kContextMax - 1) / 16], (kContextMax - 1) % 16, infinite.data(),
                   infinite.data());
        const std::vector<float> q = Random(kContextMax * group * kHeadDim);
        const std::int64_t stride = group * kHeadDim, tile = kQueriesMax / group;
        for (std::int64_t begin = 0; begin < kContextMax; begin += tile) {
          const std::int64_t rows = std::min(tile, kContextMax - begin);
          PagedAttention attention{cache.kv, 0,      cache.block_ids.data(),    begin + 1, rows, group,
                                   0.125F,   window, q.data() + begin * stride, stride};
          const std::vector<float> together = Attend(*kernels_, attention);
          for (std::int64_t r = combination % 3; r < rows - (begin + rows == kContextMax ? 1 : 0); r += 3) {
            PagedAttention alone = attention;
            alone.context += r;
            alone.rows = 1;
            alone.q += r * stride;
            const float* expected = together.data() + r * stride;
            const auto bytes = static_cast<std::size_t>(stride) * sizeof(float);
            ASSERT_EQ(std::memcmp(Attend(*kernels_, alone).data(), expected, bytes), 0) << "row " << begin + r;
            ASSERT_EQ(std::memcmp(AttendInSpans(*kernels_, alone).data(), expected, bytes), 0) << "row " << begin + r;
          }
        }
      }
    }
  }
}

// Scores of +-200 overflow a softmax that does not subtract the maximum, and move the maximum from span to span.
TEST_P(PagedAttentionTest, LargeScoresNeitherOverflowNorVanish) {
  constexpr std::int64_t kHeadDim = 16, kContext = 400;
  Cache cache(KvFormat::kF32, 1, 4, kHeadDim, kContext / 4);
  FillTo(cache, 0, kContext);
  const std::vector<float> q = Random(kHeadDim, 60.0F);
  const PagedAttention attention{cache.kv, 0, cache.block_ids.data(), kContext, 1, 1, 1.0F, 0, q.data(), 0};
  ExpectNear(Attend(*kernels_, attention), Attend(*CpuKernelsFor(CpuTarget::kReference), attention), 1e-4F);
}

// What rounding keys, values and queries to 8 bits does to the result.
TEST_P(PagedAttentionTest, EightBitsStayCloseToTheExactResult) {
  constexpr std::int64_t kHeadDim = 64, kContext = 200;
  Cache exact(KvFormat::kF32, 1, 16, kHeadDim, kContext / 16 + 1),
      rounded(KvFormat::kQ8, 1, 16, kHeadDim, kContext / 16 + 1);
  for (std::int64_t p = 0; p < kContext; ++p) {
    const std::vector<float> k = Random(kHeadDim), v = Random(kHeadDim);
    for (Cache* cache : {&exact, &rounded}) {
      kernels_->store_kv(cache->kv, cache->block_ids[static_cast<std::size_t>(p / 16)], p % 16, k.data(), v.data());
    }
  }
  const std::vector<float> q = Random(kHeadDim);
  PagedAttention attention{exact.kv, 0, exact.block_ids.data(), kContext, 1, 1, 0.125F, 0, q.data(), 0};
  const std::vector<float> expected = Attend(*kernels_, attention);
  attention.kv = rounded.kv;
  attention.block_ids = rounded.block_ids.data();
  ExpectNear(Attend(*kernels_, attention), expected, 0.01F);
}

TEST_P(PagedAttentionTest, AKeyThatIsNoNumberEndsTheRowAsOne) {
  constexpr std::int64_t kHeadDim = 64;
  for (KvFormat format : kFormats) {
    for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      Cache cache(format, 1, 16, kHeadDim, 10);
      FillTo(cache, 0, 150);
      std::vector<float> k(kHeadDim, 1.0F);
      const std::vector<float> v = k, q = Random(kHeadDim);
      k[5] = bad;
      kernels_->store_kv(cache.kv, cache.block_ids[0], 3, k.data(), v.data());
      const PagedAttention attention{cache.kv, 0, cache.block_ids.data(), 150, 1, 1, 0.125F, 0, q.data(), 0};
      const std::vector<float> out = Attend(*kernels_, attention);
      if (std::isnan(bad)) {
        EXPECT_TRUE(std::isnan(out[0]));
      } else {
        EXPECT_FALSE(out[0] > 10.0F);
      }
    }
  }
}

}  // namespace
}  // namespace kernels
