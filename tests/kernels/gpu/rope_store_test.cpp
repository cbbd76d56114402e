#include "kernels/rope/rope_store_gpu.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "kernels/rope/rope.h"
#include "tests/kernels/gpu/gpu_test.h"

namespace kernels::gpu {
namespace {

struct Shape {
  std::int32_t heads, kv_heads, head_dim, block_size;
  KvFormat format = KvFormat::kBf16;
  bool settled = false;
  bool bias = false, norms = false;
  std::int32_t values_of_row() const { return (heads + 2 * kv_heads) * head_dim; }
};

// A step of three sequences: a prefill chunk, a decode that is the first in a fresh block, a decode in the middle.
struct Step {
  std::vector<std::int32_t> positions, sequence_of_row, row_begin, block_begin;
  std::vector<std::uint32_t> block_ids;
  std::int32_t blocks_total;
};

struct Result {
  std::vector<Bf16> qkv;
  std::vector<std::uint8_t> k, v;  // the pools' bytes
};

class RopeStoreTest : public GpuTest {
 protected:
  static constexpr std::int32_t kPositions = 140;
  static constexpr float kKScale = 0.03F, kVScale = 0.05F;

  Step MakeStep(std::int32_t block_size) {
    Step step{};
    step.blocks_total = 3 * (kPositions / block_size + 1) + 2;
    std::vector<std::uint32_t> free(step.blocks_total);
    std::iota(free.begin(), free.end(), 0);
    std::shuffle(free.begin(), free.end(), rng_);
    const std::vector<std::vector<std::int32_t>> positions = {{13, 14, 15, 16, 17}, {128}, {131}};
    for (std::size_t sequence = 0; sequence < positions.size(); ++sequence) {
      step.row_begin.push_back(std::int32_t(step.positions.size()));
      step.block_begin.push_back(std::int32_t(step.block_ids.size()));
      for (std::int32_t i = 0; i <= positions[sequence].back() / block_size; ++i) {
        step.block_ids.push_back(free.back());
        free.pop_back();
      }
      for (const std::int32_t position : positions[sequence]) {
        step.positions.push_back(position);
        step.sequence_of_row.push_back(std::int32_t(sequence));
      }
    }
    step.row_begin.push_back(std::int32_t(step.positions.size()));
    step.block_begin.push_back(std::int32_t(step.block_ids.size()));
    return step;
  }

  static std::vector<float> Table(std::int32_t head_dim) {
    std::vector<float> table(std::size_t(kPositions) * 2 * head_dim);
    FillRopeTable(kPositions, {.head_dim = head_dim, .freq_base = 10000.0F}, table.data());
    return table;
  }

  static constexpr float kEps = 1e-5F;
  static std::vector<float> Bias(const Shape& shape) {
    std::vector<float> bias(std::size_t(shape.values_of_row()));
    for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = std::sin(0.7F * float(i));
    return bias;
  }
  static std::vector<float> Norm(const Shape& shape, float phase) {
    std::vector<float> norm(std::size_t(shape.head_dim));
    for (std::size_t i = 0; i < norm.size(); ++i) norm[i] = 1.0F + 0.5F * std::cos(phase + 0.3F * float(i));
    return norm;
  }
  static constexpr float kQPhase = 0.1F, kKPhase = 2.0F;

  // The rows as they are rotated.
  static std::vector<double> Prepared(const Shape& shape, const std::vector<Bf16>& qkv) {
    const std::vector<float> bias = Bias(shape), q_norm = Norm(shape, kQPhase), k_norm = Norm(shape, kKPhase);
    const std::size_t d = std::size_t(shape.head_dim), values_of_row = std::size_t(shape.values_of_row());
    std::vector<double> values(qkv.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = double(ToFloat(qkv[i])) + (shape.bias ? double(bias[i % values_of_row]) : 0.0);
    }
    for (std::size_t begin = 0; begin < values.size() && shape.norms; begin += d) {
      const std::size_t head = begin % values_of_row / d;
      if (head >= std::size_t(shape.heads + shape.kv_heads)) continue;
      double squares = 0.0;
      for (std::size_t i = 0; i < d; ++i) squares += values[begin + i] * values[begin + i];
      const double root = std::sqrt(squares / double(d) + double(kEps));
      const std::vector<float>& norm = head < std::size_t(shape.heads) ? q_norm : k_norm;
      for (std::size_t i = 0; i < d; ++i) values[begin + i] *= double(norm[i]) / root;
    }
    return values;
  }

  static Result Run(const Shape& shape, const Step& step, const std::vector<Bf16>& qkv) {
    const std::size_t pool_bytes = std::size_t(step.blocks_total) * shape.kv_heads * shape.block_size * shape.head_dim *
                                   std::size_t(KvBytes(shape.format));
    DeviceArray<Bf16> device_qkv(qkv);
    DeviceArray<float> table(Table(shape.head_dim)), bias(Bias(shape)), q_norm(Norm(shape, kQPhase)),
        k_norm(Norm(shape, kKPhase));
    DeviceArray<std::uint8_t> k(pool_bytes), v(pool_bytes);
    DeviceArray<std::int32_t> positions(step.positions), sequences(step.sequence_of_row), row_begin(step.row_begin),
        block_begin(step.block_begin);
    DeviceArray<std::uint32_t> block_ids(step.block_ids);
    const RopeStore rope{.qkv = device_qkv.get(),
                         .heads = shape.heads,
                         .table = table.get(),
                         .table_positions = kPositions,
                         .rows = {.positions = positions.get(),
                                  .row_begin = row_begin.get(),
                                  .block_begin = block_begin.get(),
                                  .block_ids = block_ids.get(),
                                  .rows = std::int32_t(step.positions.size()),
                                  .sequences = std::int32_t(step.row_begin.size()) - 1},
                         .sequence_of_row = sequences.get(),
                         .kv = {.k = k.get(),
                                .v = v.get(),
                                .format = shape.format,
                                .blocks_total = step.blocks_total,
                                .kv_heads = shape.kv_heads,
                                .block_size = shape.block_size,
                                .head_dim = shape.head_dim,
                                .k_scale = kKScale,
                                .v_scale = kVScale},
                         .rows_settled = shape.settled,
                         .before = {.bias = shape.bias ? bias.get() : nullptr,
                                    .q_norm = shape.norms ? q_norm.get() : nullptr,
                                    .k_norm = shape.norms ? k_norm.get() : nullptr,
                                    .eps = kEps}};
    const LaunchResult result = RunRopeStore(rope, nullptr);
    EXPECT_TRUE(result.ok()) << result.message();
    return {device_qkv.Read(), k.Read(), v.Read()};
  }

  static bool SameBits(const Result& a, const Result& b) {
    return a.k == b.k && a.v == b.v && a.qkv.size() == b.qkv.size() &&
           std::equal(a.qkv.begin(), a.qkv.end(), b.qkv.begin(), [](Bf16 x, Bf16 y) { return x.bits == y.bits; });
  }

  // Where the value lies in a pool, or -1 when the row's block is outside of it.
  static std::int64_t IndexOf(const Shape& shape, const Step& step, std::size_t row, std::int32_t kv_head,
                              std::int32_t i) {
    const std::int32_t position = step.positions[row];
    const std::uint32_t block =
        step.block_ids[step.block_begin[step.sequence_of_row[row]] + position / shape.block_size];
    if (block >= std::uint32_t(step.blocks_total)) return -1;
    return ((std::int64_t{block} * shape.kv_heads + kv_head) * shape.block_size + position % shape.block_size) *
               shape.head_dim +
           i;
  }

  // One value of a pool against what it should be, in the pool's format; marks it as seen.
  static void ExpectStored(const Shape& shape, const std::vector<std::uint8_t>& pool, std::int64_t index,
                           double expected, float scale, std::vector<bool>& seen, const std::string& what) {
    seen[std::size_t(index)] = true;
    if (shape.format == KvFormat::kFp8) {
      const double stored = double(ToFloat(Fp8{pool[std::size_t(index)]})) * double(scale);
      const double bound = std::abs(expected) * 0x1.02p-4 + double(scale) * 0x1.02p-10 + 1e-6;
      ASSERT_NEAR(stored, expected, bound) << what;
    } else {
      const auto bits =
          static_cast<std::uint16_t>(pool[2 * std::size_t(index)] | pool[2 * std::size_t(index) + 1] << 8);
      ASSERT_NEAR(ToFloat(Bf16{bits}), expected, std::abs(expected) * 0x1.02p-8 + 1e-6) << what;
    }
  }

  // What the pool holds beyond what was seen is as it was.
  static void ExpectRestUntouched(const std::vector<std::uint8_t>& pool, const std::vector<bool>& seen,
                                  KvFormat format) {
    const std::size_t bytes = std::size_t(KvBytes(format));
    for (std::size_t i = 0; i < pool.size(); ++i) {
      ASSERT_TRUE(seen[i / bytes] || pool[i] == 0xFF) << "byte " << i << " of the pool";
    }
  }

  static void ExpectMatches(const Shape& shape, const Step& step, const std::vector<Bf16>& before, const Result& after,
                            const std::string& what) {
    const std::vector<float> table = Table(shape.head_dim);
    const std::vector<double> prepared = Prepared(shape, before);
    std::vector<bool> seen_k(after.k.size() / std::size_t(KvBytes(shape.format))), seen_v = seen_k;
    const std::int32_t rotated_heads = shape.heads + shape.kv_heads, d = shape.head_dim;
    for (std::size_t row = 0; row < step.positions.size(); ++row) {
      const bool known = step.positions[row] >= 0 && step.positions[row] < kPositions;
      const float* own = known ? table.data() + std::size_t(step.positions[row]) * 2 * d : nullptr;
      for (std::int32_t head = 0; head < rotated_heads + shape.kv_heads; ++head) {
        for (std::int32_t i = 0; i < d; ++i) {
          const std::string where = what + ": row " + std::to_string(row) + " head " + std::to_string(head);
          const std::size_t at = row * std::size_t(shape.values_of_row()) + std::size_t(head * d + i);
          const bool rotated = head < rotated_heads && known;
          const double value = prepared[at], neighbour = prepared[i % 2 == 0 ? at + 1 : at - 1];
          const double expected = rotated ? value * own[i] + neighbour * own[d + i] : value;
          if (head < shape.heads && known) {
            ASSERT_NEAR(ToFloat(after.qkv[at]), expected, std::abs(expected) * 0x1.02p-8 + 1e-6) << where;
            continue;
          }
          ASSERT_EQ(after.qkv[at].bits, before[at].bits) << where << ": only queries change in place";
          if (!known || head < shape.heads) continue;
          const bool is_key = head < rotated_heads;
          const std::int64_t index = IndexOf(shape, step, row, head - (is_key ? shape.heads : rotated_heads), i);
          if (index < 0) continue;
          ExpectStored(shape, is_key ? after.k : after.v, index, expected, is_key ? kKScale : kVScale,
                       is_key ? seen_k : seen_v, where);
        }
      }
    }
    ExpectRestUntouched(after.k, seen_k, shape.format);
    ExpectRestUntouched(after.v, seen_v, shape.format);
  }
};

TEST_F(RopeStoreTest, MatchesThePlainFormulaForEveryShape) {
  const std::vector<Shape> shapes = {
      {32, 8, 128, 16}, {9, 3, 64, 32},  {4, 1, 96, 64},
      {1, 1, 256, 128}, {5, 5, 128, 32},  // three passes of which the last is not full
      {40, 8, 256, 16},                   // more passes than are loaded at once
  };
  for (Shape shape : shapes) {
    const Step step = MakeStep(shape.block_size);
    const std::vector<Bf16> qkv = ToBf16s(Random(step.positions.size() * std::size_t(shape.values_of_row())));
    for (const KvFormat format : {KvFormat::kBf16, KvFormat::kFp8}) {
      for (const bool settled : {false, true}) {
        shape.format = format, shape.settled = settled;
        const std::string what = std::to_string(shape.heads) + "/" + std::to_string(shape.kv_heads) + "/" +
                                 std::to_string(shape.head_dim) + (format == KvFormat::kFp8 ? " FP8" : " BF16") +
                                 (settled ? " settled" : "");
        ASSERT_NO_FATAL_FAILURE(ExpectMatches(shape, step, qkv, Run(shape, step, qkv), what));
      }
    }
  }
}

// Groups of 8, 16 and 32 threads to a head; heads that end in the middle of a warp.
TEST_F(RopeStoreTest, BiasAndNormsComeBeforeTheRotation) {
  for (Shape shape : {Shape{32, 8, 128, 16}, Shape{9, 3, 64, 32}, Shape{1, 1, 64, 16}, Shape{12, 2, 64, 16},
                      Shape{1, 1, 256, 128}, Shape{40, 8, 128, 32}}) {
    const Step step = MakeStep(shape.block_size);
    const std::vector<Bf16> qkv = ToBf16s(Random(step.positions.size() * std::size_t(shape.values_of_row())));
    for (const auto& [bias, norms] : {std::pair{true, false}, std::pair{false, true}, std::pair{true, true}}) {
      for (const KvFormat format : {KvFormat::kBf16, KvFormat::kFp8}) {
        shape.bias = bias, shape.norms = norms, shape.format = format;
        const std::string what = std::to_string(shape.heads) + "/" + std::to_string(shape.kv_heads) + "/" +
                                 std::to_string(shape.head_dim) + (bias ? " bias" : "") + (norms ? " norms" : "");
        ForEachSchedule([&] { ASSERT_NO_FATAL_FAILURE(ExpectMatches(shape, step, qkv, Run(shape, step, qkv), what)); });
      }
    }
  }
  Shape odd{4, 1, 96, 64};  // a bias takes heads of any length
  odd.bias = true;
  const Step step = MakeStep(odd.block_size);
  const std::vector<Bf16> qkv = ToBf16s(Random(step.positions.size() * std::size_t(odd.values_of_row())));
  ExpectMatches(odd, step, qkv, Run(odd, step, qkv), "heads of 96");
}

TEST_F(RopeStoreTest, PositionOutsideTheTableLeavesTheRowAlone) {
  for (const bool settled : {false, true}) {
    const Shape shape{9, 3, 64, 16, KvFormat::kBf16, settled};
    Step step = MakeStep(shape.block_size);
    step.positions[5] = kPositions;
    step.positions[6] = -1;
    const std::vector<Bf16> qkv = ToBf16s(Random(step.positions.size() * std::size_t(shape.values_of_row())));
    ExpectMatches(shape, step, qkv, Run(shape, step, qkv), "wrong position");
  }
}

TEST_F(RopeStoreTest, BlockOutsideThePoolGetsNothingWritten) {
  const Shape shape{9, 3, 64, 16};
  Step step = MakeStep(shape.block_size);
  step.block_ids.back() = 0xFFFFFFFF;  // the last row's
  step.block_ids[0] = std::uint32_t(step.blocks_total);
  const std::vector<Bf16> qkv = ToBf16s(Random(step.positions.size() * std::size_t(shape.values_of_row())));
  ExpectMatches(shape, step, qkv, Run(shape, step, qkv), "wrong block");
}

TEST_F(RopeStoreTest, SameBitsUnderEverySchedule) {
  for (const Shape& shape : {Shape{9, 3, 64, 16}, {5, 5, 128, 32, KvFormat::kFp8, true}, {2, 1, 96, 16}}) {
    const Step step = MakeStep(shape.block_size);
    const std::vector<Bf16> qkv = ToBf16s(Random(step.positions.size() * std::size_t(shape.values_of_row())));
    const Result expected = Run(shape, step, qkv);
    ExpectMatches(shape, step, qkv, expected, "in the usual order");
    ForEachSchedule([&] { EXPECT_TRUE(SameBits(Run(shape, step, qkv), expected)); });
  }
}

TEST_F(RopeStoreTest, NanStaysInItsPair) {
  const Shape shape{2, 1, 64, 16};
  const Step step = MakeStep(shape.block_size);
  std::vector<Bf16> qkv = ToBf16s(Random(step.positions.size() * std::size_t(shape.values_of_row())));
  qkv[10] = ToBf16(std::numeric_limits<float>::quiet_NaN());
  const Result result = Run(shape, step, qkv);
  for (std::size_t i = 0; i < result.qkv.size(); ++i) {
    ASSERT_EQ(std::isnan(ToFloat(result.qkv[i])), i == 10 || i == 11) << i;
  }
}

// What BF16 keeps as infinity or NaN must not come back from an FP8 cache as a number; what is merely too large is
// clipped to the largest one.
TEST_F(RopeStoreTest, Fp8CacheKeepsWhatIsNotFinite) {
  const Shape shape{2, 1, 64, 16, KvFormat::kFp8};
  const Step step = MakeStep(shape.block_size);
  std::vector<Bf16> qkv = ToBf16s(Random(step.positions.size() * std::size_t(shape.values_of_row())));
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const std::size_t key = 2 * 64, value = 3 * 64;  // in a row of qkv
  const float values[] = {infinity, -infinity, nan, 1e6F, -1e6F};
  for (std::size_t i = 0; i < 5; ++i) qkv[value + i] = ToBf16(values[i]);
  qkv[key + 7] = ToBf16(infinity);
  const Result result = Run(shape, step, qkv);
  const auto stored = [&](const std::vector<std::uint8_t>& pool, std::int32_t i) {
    return ToFloat(Fp8{pool[std::size_t(IndexOf(shape, step, 0, 0, i))]});
  };
  for (std::int32_t i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(stored(result.v, i))) << i;
  EXPECT_EQ(stored(result.v, 3), 448.0F);
  EXPECT_EQ(stored(result.v, 4), -448.0F);
  for (std::int32_t i = 0; i < 64; ++i) EXPECT_EQ(std::isnan(stored(result.k, i)), i == 6 || i == 7) << i;
}

TEST_F(RopeStoreTest, RefusesWhatItCannotCompute) {
  DeviceArray<Bf16> qkv(std::size_t{512}), k(std::size_t{4096}), v(std::size_t{4096});
  DeviceArray<float> table(std::size_t{1024});
  DeviceArray<std::int32_t> zeros(std::vector<std::int32_t>{0, 1});
  DeviceArray<std::uint32_t> block_ids(std::vector<std::uint32_t>{0});
  const RopeStore good{.qkv = qkv.get(),
                       .heads = 1,
                       .table = table.get(),
                       .table_positions = 2,
                       .rows = {.positions = zeros.get(),
                                .row_begin = zeros.get(),
                                .block_begin = zeros.get(),
                                .block_ids = block_ids.get(),
                                .rows = 1,
                                .sequences = 1},
                       .sequence_of_row = zeros.get(),
                       .kv = {.k = k.get(),
                              .v = v.get(),
                              .format = KvFormat::kBf16,
                              .blocks_total = 1,
                              .kv_heads = 1,
                              .block_size = 16,
                              .head_dim = 64}};
  ASSERT_LAUNCHED(RunRopeStore(good, nullptr));
  const auto refused = [&](auto change) {
    RopeStore bad = good;
    change(bad);
    EXPECT_REFUSED(RunRopeStore(bad, nullptr));
  };
  for (const std::int32_t head_dim : {0, 32, 80, 512}) refused([&](RopeStore& rope) { rope.kv.head_dim = head_dim; });
  for (const std::int32_t size : {0, 8, 24, 256}) refused([&](RopeStore& rope) { rope.kv.block_size = size; });
  refused([](RopeStore& rope) { rope.heads = 0; });
  refused([](RopeStore& rope) { rope.kv.kv_heads = 0; });
  refused([](RopeStore& rope) { rope.rows.rows = -1; });
  refused([](RopeStore& rope) { rope.table_positions = 0; });
  refused([](RopeStore& rope) { rope.qkv += 4; });
  refused([&](RopeStore& rope) { rope.before.bias = table.get() + 1; });
  const auto with_norms = [&](auto change) {
    return [&table, change](RopeStore& rope) {
      rope.before = {.q_norm = table.get(), .k_norm = table.get(), .eps = 1e-5F};
      change(rope);
    };
  };
  RopeStore normed = good;
  with_norms([](RopeStore&) {})(normed);
  ASSERT_LAUNCHED(RunRopeStore(normed, nullptr));
  refused(with_norms([](RopeStore& rope) { rope.before.k_norm = nullptr; }));
  refused(with_norms([](RopeStore& rope) { rope.before.q_norm = nullptr; }));
  refused(with_norms([](RopeStore& rope) { rope.before.k_norm += 1; }));
  refused(with_norms([](RopeStore& rope) { rope.before.eps = 0.0F; }));
  refused(with_norms([](RopeStore& rope) { rope.kv.head_dim = 96; }));
  refused([](RopeStore& rope) { rope.table += 1; });
  refused([&](RopeStore& rope) { rope.kv.k = k.get() + 1; });
  refused([](RopeStore& rope) { rope.kv.v = nullptr; });
  refused([](RopeStore& rope) { rope.sequence_of_row = nullptr; });
  refused([](RopeStore& rope) { rope.rows.block_ids = nullptr; });
  refused([](RopeStore& rope) { rope.kv.format = KvFormat::kFp8, rope.kv.k_scale = 0.0F; });
  refused([](RopeStore& rope) { rope.kv.format = KvFormat::kFp8, rope.kv.v_scale = std::nanf(""); });
  RopeStore empty = good;
  empty.rows.rows = 0;
  empty.rows.positions = nullptr;
  ASSERT_LAUNCHED(RunRopeStore(empty, nullptr));
}

}  // namespace
}  // namespace kernels::gpu
