#include "kernels/attention/prefill_attention_gpu.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <numeric>

#include "tests/kernels/gpu/gpu_test.h"

namespace kernels::gpu {
namespace {

struct Chunk {
  std::int32_t start, rows;  // positions start .. start + rows - 1; those before lie in the cache already
};

struct Layer {
  std::int32_t head_dim = 128, heads = 4, kv_heads = 2, block_size = 16;
  KvFormat format = KvFormat::kBf16;
  std::vector<Chunk> chunks;
};

struct Sequence {
  Chunk chunk;
  std::vector<float> q;     // [rows][heads][head_dim]
  std::vector<float> k, v;  // [start + rows][kv_heads][head_dim]; what the cache stores, times its scale
};

class PrefillAttentionTest : public GpuTest, public testing::WithParamInterface<PrefillVariant> {
 protected:
  static constexpr float kKScale = 0.25F, kVScale = 0.5F;  // FP8 alone

  static bool Runs(std::int32_t head_dim, KvFormat format) {
    const bool any = GetParam() == PrefillVariant::kBest || GetParam() == PrefillVariant::kWarp;
    return any || (format == KvFormat::kBf16 && (head_dim == 64 || head_dim == 128));
  }

  // Scores of about normal(0, 2): a few keys weigh much, so that a key missed or taken too much shows.
  static float Scale(const Layer& layer) { return 2.0F / std::sqrt(static_cast<float>(layer.head_dim)); }

  std::vector<float> Stored(const Layer& layer, std::size_t count, float scale) {
    std::vector<float> values = Random(count);
    for (float& value : values) {
      value = layer.format == KvFormat::kBf16 ? ToFloat(ToBf16(value)) : ToFloat(ToFp8(value / scale)) * scale;
    }
    return values;
  }

  std::vector<Sequence> MakeSequences(const Layer& layer) {
    std::vector<Sequence> sequences;
    for (const Chunk& chunk : layer.chunks) {
      const auto context = static_cast<std::size_t>(chunk.start + chunk.rows);
      const std::size_t kv_values = context * static_cast<std::size_t>(layer.kv_heads * layer.head_dim);
      Sequence sequence{chunk,
                        ToFloats(ToBf16s(Random(static_cast<std::size_t>(chunk.rows * layer.heads * layer.head_dim)))),
                        Stored(layer, kv_values, kKScale), Stored(layer, kv_values, kVScale)};
      sequences.push_back(std::move(sequence));
    }
    return sequences;
  }

  // One sequence's rows [first, first + rows) of its chunk.
  static Sequence Cut(const Layer& layer, const Sequence& whole, std::int32_t first, std::int32_t rows) {
    Sequence part{{whole.chunk.start + first, rows}, {}, whole.k, whole.v};
    const std::int64_t row_values = layer.heads * layer.head_dim;
    part.q.assign(whole.q.begin() + first * row_values, whole.q.begin() + (first + rows) * row_values);
    const auto context = static_cast<std::size_t>(part.chunk.start + rows);
    part.k.resize(context * static_cast<std::size_t>(layer.kv_heads * layer.head_dim));
    part.v.resize(part.k.size());
    return part;
  }

  // The rows' outputs, one sequence behind the other. Blocks lie shuffled in the pool; whatever no sequence stored, in
  // the pool and between the queries, is NaN.
  std::vector<Bf16> Run(const Layer& layer, const std::vector<Sequence>& sequences) {
    const std::int64_t q_stride = layer.heads * layer.head_dim + 2 * layer.kv_heads * layer.head_dim;
    std::vector<std::int32_t> positions, row_begin{0}, block_begin{0};
    std::int32_t chunk_max = 0;
    for (const Sequence& s : sequences) {
      for (std::int32_t row = 0; row < s.chunk.rows; ++row) positions.push_back(s.chunk.start + row);
      row_begin.push_back(static_cast<std::int32_t>(positions.size()));
      const std::int32_t blocks = (s.chunk.start + s.chunk.rows + layer.block_size - 1) / layer.block_size;
      block_begin.push_back(block_begin.back() + blocks);
      chunk_max = std::max(chunk_max, s.chunk.rows);
    }
    const std::int32_t blocks_total = block_begin.back() + 3;
    std::vector<std::uint32_t> block_ids(static_cast<std::size_t>(blocks_total));
    std::iota(block_ids.begin(), block_ids.end(), 0U);
    std::shuffle(block_ids.begin(), block_ids.end(), rng_);
    block_ids.resize(static_cast<std::size_t>(block_begin.back()));
    std::vector<std::uint32_t> ids_used = block_ids;
    for (const auto& [at, id] : wrong_ids_) ids_used[at] = id == 0 ? static_cast<std::uint32_t>(blocks_total) : id;

    const std::int64_t block_values = std::int64_t{layer.kv_heads} * layer.block_size * layer.head_dim;
    const std::int64_t value_bytes = KvBytes(layer.format);
    std::vector<std::uint8_t> k(static_cast<std::size_t>(blocks_total * block_values * value_bytes), 0xFF), v = k;
    std::vector<Bf16> q(static_cast<std::size_t>(row_begin.back() * q_stride), Bf16{0xFFFF});
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      const Sequence& s = sequences[i];
      for (std::int32_t row = 0; row < s.chunk.rows; ++row) {
        for (std::int64_t d = 0; d < layer.heads * layer.head_dim; ++d) {
          q[static_cast<std::size_t>((row_begin[i] + row) * q_stride + d)] =
              ToBf16(s.q[static_cast<std::size_t>(row * std::int64_t{layer.heads} * layer.head_dim + d)]);
        }
      }
      for (std::int64_t n = 0; n < static_cast<std::int64_t>(s.k.size()); ++n) {
        const std::int64_t position = n / (layer.kv_heads * layer.head_dim), d = n % layer.head_dim;
        const std::int64_t head = n / layer.head_dim % layer.kv_heads;
        const std::int64_t block = block_ids[static_cast<std::size_t>(block_begin[i] + position / layer.block_size)];
        const std::int64_t at =
            block * block_values + (head * layer.block_size + position % layer.block_size) * layer.head_dim + d;
        Put(layer, k, at, s.k[static_cast<std::size_t>(n)], kKScale);
        Put(layer, v, at, s.v[static_cast<std::size_t>(n)], kVScale);
      }
    }

    const DeviceArray<Bf16> q_device(q);
    const DeviceArray<std::uint8_t> k_device(k), v_device(v);
    const DeviceArray<std::int32_t> positions_device(positions), rows_device(row_begin), blocks_device(block_begin);
    const DeviceArray<std::uint32_t> ids_device(ids_used);
    const DeviceArray<Bf16> y(static_cast<std::size_t>(row_begin.back()) *
                              static_cast<std::size_t>(layer.heads * layer.head_dim));
    PrefillAttention a{};
    a.q = q_device.get();
    a.q_stride = static_cast<std::int32_t>(q_stride);
    a.kv = {k_device.get(),   v_device.get(), layer.format, blocks_total, layer.kv_heads,
            layer.block_size, layer.head_dim, kKScale,      kVScale};
    a.rows = {positions_device.get(), rows_device.get(), blocks_device.get(),
              ids_device.get(),       row_begin.back(),  static_cast<std::int32_t>(sequences.size())};
    a.heads = layer.heads;
    a.chunk_max = chunk_max;
    a.scale = Scale(layer);
    a.y = y.get();
    a.variant = GetParam();
    const LaunchResult result = RunPrefillAttention(a, nullptr);
    EXPECT_TRUE(result.ok()) << result.message();
    return y.Read();
  }

  // What Run writes over the step's block ids; 0: the first id outside the pool.
  std::vector<std::pair<std::size_t, std::uint32_t>> wrong_ids_;

  static void Put(const Layer& layer, std::vector<std::uint8_t>& bytes, std::int64_t at, float value, float scale) {
    if (layer.format == KvFormat::kFp8) {
      bytes[static_cast<std::size_t>(at)] = ToFp8(value / scale).bits;
    } else {
      const Bf16 stored = ToBf16(value);
      std::memcpy(&bytes[static_cast<std::size_t>(at * 2)], &stored, sizeof(stored));
    }
  }

  // Compares with sums in double.
  //
  // Tolerance: the kernel rounds each weight to BF16, half a unit in the eighth bit, so the sum over v errs by at most
  // 2^-9 of the sum of |weight * v| for each half unit; 2^-8 with the largest relative error; rounding the output adds
  // as much. A tenth more covers scores and exponentials in F32.
  void ExpectNear(const Layer& layer, const std::vector<Sequence>& sequences, const std::vector<Bf16>& y) {
    std::size_t out = 0;
    double squares = 0.0, bounds = 0.0;
    for (const Sequence& s : sequences) {
      for (std::int32_t row = 0; row < s.chunk.rows; ++row) {
        for (std::int32_t head = 0; head < layer.heads; ++head, out += static_cast<std::size_t>(layer.head_dim)) {
          std::vector<double> sum(static_cast<std::size_t>(layer.head_dim)), size(sum.size());
          Reference(layer, s, row, head, sum, size);
          for (std::size_t d = 0; d < sum.size(); ++d) {
            const double error = ToFloat(y[out + d]) - sum[d];
            ASSERT_LE(std::abs(error), 1.1 * 2.0 / 256.0 * size[d])
                << "chunk at " << s.chunk.start << " of " << s.chunk.rows << ", row " << row << " head " << head
                << " dim " << d << ": " << ToFloat(y[out + d]) << " instead of " << sum[d];
            squares += error * error;
            bounds += size[d] * size[d];
          }
        }
      }
    }
    // Roundings are random: together they stay far below their bound.
    EXPECT_LE(std::sqrt(squares), std::sqrt(bounds) / 256.0);
  }

  static void Reference(const Layer& layer, const Sequence& s, std::int32_t row, std::int32_t head,
                        std::vector<double>& sum, std::vector<double>& size) {
    const std::int64_t dims = layer.head_dim, kv_head = head / (layer.heads / layer.kv_heads);
    const float* q = &s.q[static_cast<std::size_t>((row * std::int64_t{layer.heads} + head) * dims)];
    const std::int32_t keys = s.chunk.start + row + 1;
    std::vector<double> weights(static_cast<std::size_t>(keys));
    double most = -std::numeric_limits<double>::infinity(), total = 0.0;
    for (std::int32_t key = 0; key < keys; ++key) {
      const float* k = &s.k[static_cast<std::size_t>((std::int64_t{key} * layer.kv_heads + kv_head) * dims)];
      double score = 0.0;
      for (std::int64_t d = 0; d < dims; ++d) score += double{q[d]} * double{k[d]};
      weights[static_cast<std::size_t>(key)] = score * double{Scale(layer)};
      most = std::max(most, weights[static_cast<std::size_t>(key)]);
    }
    for (double& weight : weights) total += weight = std::exp(weight - most);
    for (std::int32_t key = 0; key < keys; ++key) {
      const float* v = &s.v[static_cast<std::size_t>((std::int64_t{key} * layer.kv_heads + kv_head) * dims)];
      const double weight = weights[static_cast<std::size_t>(key)] / total;
      for (std::int64_t d = 0; d < dims; ++d) {
        sum[static_cast<std::size_t>(d)] += weight * double{v[d]};
        size[static_cast<std::size_t>(d)] += weight * std::abs(double{v[d]});
      }
    }
  }

  void Check(const Layer& layer) {
    SCOPED_TRACE(testing::Message() << "head_dim " << layer.head_dim << ", heads " << layer.heads << "/"
                                    << layer.kv_heads << ", block_size " << layer.block_size);
    const std::vector<Sequence> sequences = MakeSequences(layer);
    ExpectNear(layer, sequences, Run(layer, sequences));
  }

  void ExpectSameBits(const Layer& layer, const std::vector<Bf16>& whole, std::size_t first_row,
                      const std::vector<Bf16>& part) {
    const std::size_t begin = first_row * static_cast<std::size_t>(layer.heads * layer.head_dim);
    ASSERT_LE(begin + part.size(), whole.size());
    EXPECT_EQ(std::memcmp(whole.data() + begin, part.data(), part.size() * sizeof(Bf16)), 0)
        << "rows from " << first_row;
  }
};

TEST_P(PrefillAttentionTest, MatchesReferenceForEveryStartAndLengthOfAChunk) {
  for (const std::int32_t start : {0, 1, 16, 77}) {
    Check({.chunks = {{start, 1}, {start, 2}, {start, 63}, {start, 64}, {start, 65}, {start, 130}}});
  }
}

TEST_P(PrefillAttentionTest, MatchesReferenceForEveryShape) {
  for (const std::int32_t head_dim : {64, 96, 128, 256}) {
    if (!Runs(head_dim, KvFormat::kBf16)) continue;
    // A group of 7 does not divide a tile; one of 16 fills it with few tokens.
    for (const auto& [heads, kv_heads] :
         std::vector<std::pair<std::int32_t, std::int32_t>>{{2, 2}, {7, 1}, {16, 1}, {12, 4}}) {
      Check({.head_dim = head_dim, .heads = heads, .kv_heads = kv_heads, .chunks = {{30, 41}, {0, 5}}});
    }
  }
}

TEST_P(PrefillAttentionTest, SameBitsUnderEverySchedule) {
  for (const auto& [head_dim, format] :
       {std::pair{64, KvFormat::kBf16}, {128, KvFormat::kBf16}, {256, KvFormat::kBf16}, {64, KvFormat::kFp8}}) {
    if (!Runs(head_dim, format)) continue;
    const Layer layer{.head_dim = head_dim, .heads = 4, .kv_heads = 2, .format = format, .chunks = {{50, 40}, {0, 3}}};
    const std::vector<Sequence> sequences = MakeSequences(layer);
    const std::vector<Bf16> expected = Run(layer, sequences);
    ForEachSchedule([&] { ExpectSameBits(layer, expected, 0, Run(layer, sequences)); });
  }
}

#if defined(GPU_EMULATOR)
TEST_P(PrefillAttentionTest, MatchesReferenceOnACardOfLittleSharedMemory) {
  if (GetParam() != PrefillVariant::kBest) return;  // the others are asked for by name
  const SharedMemoryOf small;
  for (const std::int32_t head_dim : {64, 96, 128, 256}) {
    for (const KvFormat format : {KvFormat::kBf16, KvFormat::kFp8}) {
      Check({.head_dim = head_dim, .heads = 4, .kv_heads = 1, .format = format, .chunks = {{30, 41}, {0, 5}}});
    }
  }
}
#endif

TEST_P(PrefillAttentionTest, MatchesReferenceForEveryBlockSize) {
  for (const std::int32_t block_size : {16, 32, 64, 128}) {
    Check({.head_dim = 64, .block_size = block_size, .chunks = {{150, 20}, {0, 33}, {block_size - 1, 2}}});
  }
}

TEST_P(PrefillAttentionTest, MatchesReferenceOnFp8Cache) {
  if (!Runs(128, KvFormat::kFp8)) GTEST_SKIP() << "BF16 alone";
  for (const std::int32_t head_dim : {64, 96, 128, 256}) {
    Check({.head_dim = head_dim, .block_size = 32, .format = KvFormat::kFp8, .chunks = {{30, 41}, {0, 70}}});
  }
}

// Long enough for every slot of the ring to be filled several times.
TEST_P(PrefillAttentionTest, MatchesReferenceOverALongContext) {
  Check({.head_dim = 64, .heads = 2, .kv_heads = 1, .chunks = {{1100, 70}}});
  Check({.head_dim = 128, .heads = 1, .kv_heads = 1, .block_size = 64, .chunks = {{0, 3}, {900, 20}}});
}

// A maximum that rises late multiplies what was summed before; one that rises by little leaves it.
TEST_P(PrefillAttentionTest, MatchesReferenceWhereTheLargestScoresComeLast) {
  const Layer layer{.head_dim = 64, .heads = 1, .kv_heads = 1, .chunks = {{400, 130}}};
  std::vector<Sequence> sequences = MakeSequences(layer);
  Sequence& s = sequences[0];
  for (std::int64_t key = 0; key < 530; ++key) {
    for (std::int64_t d = 0; d < 64; ++d) {
      float& k = s.k[static_cast<std::size_t>(key * 64 + d)];
      k = ToFloat(ToBf16(k * (0.2F + static_cast<float>(key) / 200.0F)));
    }
  }
  ExpectNear(layer, sequences, Run(layer, sequences));
}

TEST_P(PrefillAttentionTest, RowHasTheSameBitsAloneAndInCompany) {
  const Layer layer{.heads = 6, .kv_heads = 2, .chunks = {{0, 40}, {200, 3}, {77, 90}}};
  const std::vector<Sequence> sequences = MakeSequences(layer);
  const std::vector<Bf16> together = Run(layer, sequences);
  std::size_t row = 0;
  for (const Sequence& s : sequences) {
    ExpectSameBits(layer, together, row, Run(layer, {s}));
    row += static_cast<std::size_t>(s.chunk.rows);
  }
}

TEST_P(PrefillAttentionTest, RowHasTheSameBitsHoweverItsSequenceIsCut) {
  const Layer layer{.heads = 3, .kv_heads = 1, .chunks = {{0, 190}}};
  const std::vector<Sequence> sequences = MakeSequences(layer);
  const std::vector<Bf16> whole = Run(layer, sequences);
  for (const auto& [first, rows] :
       std::vector<std::pair<std::int32_t, std::int32_t>>{{0, 1}, {1, 63}, {64, 77}, {141, 49}}) {
    ExpectSameBits(layer, whole, static_cast<std::size_t>(first), Run(layer, {Cut(layer, sequences[0], first, rows)}));
  }
}

TEST_P(PrefillAttentionTest, NaNStaysInItsSequence) {
  const Layer layer{.chunks = {{5, 20}, {40, 30}}};
  std::vector<Sequence> sequences = MakeSequences(layer);
  const std::vector<Bf16> alone = Run(layer, {sequences[1]});
  std::fill(sequences[0].q.begin(), sequences[0].q.end(), std::numeric_limits<float>::quiet_NaN());
  std::fill(sequences[0].k.begin(), sequences[0].k.end(), std::numeric_limits<float>::infinity());
  ExpectSameBits(layer, Run(layer, sequences), 20, alone);
}

// Rows that attend to a block that does not exist become NaN, and nothing is read elsewhere (the address sanitizer
// would see it).
TEST_P(PrefillAttentionTest, BlockOutsideThePoolIsNaN) {
  for (const KvFormat format : {KvFormat::kBf16, KvFormat::kFp8}) {
    for (const std::int32_t head_dim : {64, 96, 128, 256}) {
      if (!Runs(head_dim, format)) continue;
      const Layer layer{.head_dim = head_dim, .format = format, .chunks = {{5, 20}, {20, 190}}};
      const std::vector<Sequence> sequences = MakeSequences(layer);
      wrong_ids_.clear();
      const std::vector<Bf16> alone = Run(layer, {sequences[0]});
      for (const std::uint32_t wrong : {0U, 0xFFFFFFFFU}) {
        wrong_ids_ = {{2 + 1, wrong}};  // sequence 1, positions 16 to 31: all of its rows attend to some
        const std::vector<Bf16> y = Run(layer, sequences);
        ExpectSameBits(layer, y, 0, alone);
        for (std::size_t i = alone.size(); i < y.size(); ++i) {
          ASSERT_TRUE(std::isnan(ToFloat(y[i])) && y[i].bits != 0xFFFF) << i << ", head_dim " << head_dim;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, PrefillAttentionTest,
                         testing::Values(PrefillVariant::kBest, PrefillVariant::kWarp, PrefillVariant::kWarpgroup,
                                         PrefillVariant::kWarpgroupPingPong),
                         [](const auto& variant) {
                           switch (variant.param) {
                             case PrefillVariant::kBest:
                               return "Best";
                             case PrefillVariant::kWarp:
                               return "Warp";
                             case PrefillVariant::kWarpgroup:
                               return "Warpgroup";
                             default:
                               return "WarpgroupPingPong";
                           }
                         });

// Nothing is read or written where the arguments are refused or there is nothing to do, so all pointers are to the same
// few bytes.
class PrefillAttentionArgumentsTest : public GpuTest {
 protected:
  alignas(16) static inline unsigned char somewhere_[32];

  static PrefillAttention Valid() {
    PrefillAttention a{};
    const auto* integers = reinterpret_cast<const std::int32_t*>(somewhere_);
    a.q = reinterpret_cast<const Bf16*>(somewhere_), a.y = reinterpret_cast<Bf16*>(somewhere_);
    a.rows.positions = a.rows.row_begin = a.rows.block_begin = integers;
    a.rows.block_ids = reinterpret_cast<const std::uint32_t*>(somewhere_);
    a.q_stride = 8 * 128;
    a.kv = {somewhere_, somewhere_, KvFormat::kBf16, 10, 2, 16, 128};
    a.rows.rows = 4;
    a.rows.sequences = 1;
    a.heads = 8;
    a.chunk_max = 4;
    a.scale = 0.1F;
    return a;
  }
};

TEST_F(PrefillAttentionArgumentsTest, NothingToDoIsOk) {
  PrefillAttention a = Valid();
  a.chunk_max = 0;
  ASSERT_LAUNCHED(RunPrefillAttention(a, nullptr));
  a = Valid();
  a.rows.rows = 0;
  ASSERT_LAUNCHED(RunPrefillAttention(a, nullptr));
  a = Valid();
  a.rows.sequences = 0;
  a.q = nullptr, a.kv.k = nullptr;
  ASSERT_LAUNCHED(RunPrefillAttention(a, nullptr));
  ASSERT_LAUNCHED(Synchronize(Stream{nullptr}));
}

TEST_F(PrefillAttentionArgumentsTest, RefusesWhatItDoesNotCompute) {
  const auto refused = [](auto change) {
    PrefillAttention a = Valid();
    change(a);
    EXPECT_REFUSED(RunPrefillAttention(a, nullptr));
  };
  refused([](PrefillAttention& a) { a.kv.head_dim = 80; });
  refused([](PrefillAttention& a) { a.kv.head_dim = 0; });
  refused([](PrefillAttention& a) { a.kv.block_size = 8; });
  refused([](PrefillAttention& a) { a.kv.block_size = 48; });
  refused([](PrefillAttention& a) { a.kv.block_size = 256; });
  refused([](PrefillAttention& a) { a.kv.blocks_total = 0; });
  refused([](PrefillAttention& a) { a.kv.kv_heads = 0; });
  refused([](PrefillAttention& a) { a.kv.kv_heads = 3; });
  refused([](PrefillAttention& a) { a.heads = 0; });
  refused([](PrefillAttention& a) { a.heads = -8; });
  refused([](PrefillAttention& a) { a.kv.k = nullptr; });
  refused([](PrefillAttention& a) { a.kv.v = nullptr; });
  refused([](PrefillAttention& a) { a.kv.k = somewhere_ + 8; });
  refused([](PrefillAttention& a) { a.kv.v = somewhere_ + 4; });
  refused([](PrefillAttention& a) { a.kv.format = KvFormat::kFp8, a.kv.k_scale = 0.0F; });
  refused([](PrefillAttention& a) { a.kv.format = KvFormat::kFp8, a.kv.v_scale = -1.0F; });
  refused([](PrefillAttention& a) { a.q = nullptr; });
  refused([](PrefillAttention& a) { a.q += 4; });
  refused([](PrefillAttention& a) { a.y = nullptr; });
  refused([](PrefillAttention& a) { a.y += 1; });
  refused([](PrefillAttention& a) { a.rows.positions = nullptr; });
  refused([](PrefillAttention& a) { a.rows.row_begin = nullptr; });
  refused([](PrefillAttention& a) { a.rows.block_begin = nullptr; });
  refused([](PrefillAttention& a) { a.rows.block_ids = nullptr; });
  refused([](PrefillAttention& a) { a.q_stride = 7 * 128; });
  refused([](PrefillAttention& a) { a.q_stride = 8 * 128 + 4; });
  refused([](PrefillAttention& a) { a.scale = 0.0F; });
  refused([](PrefillAttention& a) { a.scale = std::numeric_limits<float>::quiet_NaN(); });
  refused([](PrefillAttention& a) { a.rows.rows = -1; });
  refused([](PrefillAttention& a) { a.rows.sequences = -1; });
  refused([](PrefillAttention& a) { a.rows.sequences = 65536; });
  refused([](PrefillAttention& a) { a.chunk_max = -1; });
  refused([](PrefillAttention& a) { a.chunk_max = std::numeric_limits<std::int32_t>::max(); });
  refused([](PrefillAttention& a) {
    a.variant = PrefillVariant::kWarpgroup;
    a.kv.format = KvFormat::kFp8;
  });
  refused([](PrefillAttention& a) {
    a.variant = PrefillVariant::kWarpgroup;
    a.kv.head_dim = 64 + 32;
  });
}

}  // namespace
}  // namespace kernels::gpu
