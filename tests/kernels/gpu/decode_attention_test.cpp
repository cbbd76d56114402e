// Goal: every row is the attention over its own context, exactly as far as BF16 weights and outputs allow, whatever
// shape, format, block order and neighbours; and its bits depend on nothing else. Method: a reference in double over
// the stored K and V; everything that isn't stored stays NaN; launches that share the work out differently are compared
// bit by bit.
#include "kernels/attention/decode_attention_gpu.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "tests/kernels/gpu/gpu_test.h"

namespace kernels::gpu {
namespace {

struct Shape {
  int heads, kv_heads, head_dim, block_size;
  KvFormat format;
  int group() const { return heads / kv_heads; }
  std::int64_t row_bytes() const { return head_dim * KvBytes(format); }
};

std::string ToString(const Shape& shape) {
  return std::to_string(shape.heads) + "/" + std::to_string(shape.kv_heads) + " heads of " +
         std::to_string(shape.head_dim) + ", blocks of " + std::to_string(shape.block_size) +
         (shape.format == KvFormat::kFp8 ? ", FP8" : ", BF16");
}

class DecodeAttentionTest : public GpuTest {
 protected:
  static constexpr int kQGap = 12;  // elements between the rows of q
  static constexpr float kScale = 0.125F, kKScale = 0.75F, kVScale = 1.5F;

  // Sequences with contexts of the given lengths in shuffled blocks; whatever no context covers is NaN.
  struct Step {
    Shape shape = {};
    std::vector<int> contexts;
    int q_stride = 0, blocks_total = 0;
    std::vector<Bf16> q;
    std::vector<std::uint8_t> k, v;
    std::vector<std::int32_t> positions, block_begin;
    std::vector<std::uint32_t> block_ids;

    int sequences() const { return static_cast<int>(contexts.size()); }
    int context_max() const { return std::max(1, *std::max_element(contexts.begin(), contexts.end())); }
    std::int64_t RowOf(int sequence, int kv_head, int token) const {
      const std::int64_t id = block_ids[static_cast<std::size_t>(block_begin[static_cast<std::size_t>(sequence)] +
                                                                 token / shape.block_size)];
      return (id * shape.kv_heads + kv_head) * shape.block_size + token % shape.block_size;
    }
    double Stored(const std::vector<std::uint8_t>& plane, std::int64_t row, int dim, double scale) const {
      const auto at = static_cast<std::size_t>(row * shape.row_bytes() + dim * KvBytes(shape.format));
      if (shape.format == KvFormat::kFp8) return ToFloat(Fp8{plane[at]}) * scale;
      return ToFloat(Bf16{static_cast<std::uint16_t>(plane[at] | plane[at + 1] << 8)});
    }
    void Store(std::vector<std::uint8_t>& plane, std::int64_t row, int dim, float value) const {
      const auto at = static_cast<std::size_t>(row * shape.row_bytes() + dim * KvBytes(shape.format));
      if (shape.format == KvFormat::kFp8) {
        plane[at] = ToFp8(value).bits;
      } else {
        const Bf16 rounded = ToBf16(value);
        plane[at] = static_cast<std::uint8_t>(rounded.bits & 0xFF);
        plane[at + 1] = static_cast<std::uint8_t>(rounded.bits >> 8);
      }
    }
  };

  Step MakeStep(const Shape& shape, const std::vector<int>& contexts) {
    Step step;
    step.shape = shape;
    step.contexts = contexts;
    step.block_begin.push_back(0);
    for (int context : contexts) {
      step.positions.push_back(context - 1);
      step.block_begin.push_back(step.block_begin.back() + (context + shape.block_size - 1) / shape.block_size);
    }
    step.blocks_total = step.block_begin.back() + 3;
    step.block_ids.resize(static_cast<std::size_t>(step.blocks_total));
    std::iota(step.block_ids.begin(), step.block_ids.end(), 0U);
    std::shuffle(step.block_ids.begin(), step.block_ids.end(), rng_);
    step.block_ids.resize(static_cast<std::size_t>(step.block_begin.back()));

    const auto plane_bytes = step.blocks_total * shape.kv_heads * shape.block_size * shape.row_bytes();
    step.k.assign(static_cast<std::size_t>(plane_bytes), 0xFF);
    step.v.assign(static_cast<std::size_t>(plane_bytes), 0xFF);
    std::normal_distribution<float> normal;
    for (int s = 0; s < step.sequences(); ++s) {
      for (int token = 0; token < contexts[static_cast<std::size_t>(s)]; ++token) {
        for (int head = 0; head < shape.kv_heads; ++head) {
          const std::int64_t row = step.RowOf(s, head, token);
          for (int dim = 0; dim < shape.head_dim; ++dim) {
            step.Store(step.k, row, dim, normal(rng_));
            step.Store(step.v, row, dim, normal(rng_) + 0.25F);
          }
        }
      }
    }
    step.q_stride = shape.heads * shape.head_dim + kQGap;
    step.q.assign(static_cast<std::size_t>(step.sequences() * step.q_stride), Bf16{0xFFFF});
    for (int s = 0; s < step.sequences(); ++s) {
      const std::vector<Bf16> row = ToBf16s(Random(static_cast<std::size_t>(shape.heads * shape.head_dim)));
      std::copy(row.begin(), row.end(), step.q.begin() + s * step.q_stride);
    }
    return step;
  }

  struct Run {
    DecodeAttentionTuning tuning = {};
    int context_max = 0;        // 0: the longest
    void* workspace = nullptr;  // nullptr: a fresh one
  };
  std::vector<Bf16> Compute(const Step& step, const Run& run) {
    const DeviceArray<Bf16> q(step.q);
    const DeviceArray<std::uint8_t> k(step.k), v(step.v);
    const DeviceArray<std::int32_t> positions(step.positions), block_begin(step.block_begin);
    const DeviceArray<std::uint32_t> block_ids(step.block_ids);
    const DeviceArray<std::uint8_t> workspace(std::vector<std::uint8_t>(WorkspaceBytes(step), 0));
    DeviceArray<Bf16> y(static_cast<std::size_t>(step.sequences() * step.shape.heads * step.shape.head_dim));
    DecodeAttention attention = Describe(step);
    attention.q = q.get(), attention.kv.k = k.get(), attention.kv.v = v.get();
    attention.positions = positions.get(), attention.block_begin = block_begin.get(),
    attention.block_ids = block_ids.get();
    attention.workspace = run.workspace != nullptr ? run.workspace : workspace.get();
    attention.y = y.get();
    attention.tuning = run.tuning;
    if (run.context_max != 0) attention.context_max = run.context_max;
    const LaunchResult result = RunDecodeAttention(attention, nullptr);
    EXPECT_TRUE(result.ok()) << result.message();
    return y.Read();
  }
  static std::size_t WorkspaceBytes(const Step& step) {
    return static_cast<std::size_t>(
        DecodeAttentionWorkspaceBytes(step.sequences(), step.shape.heads, step.shape.head_dim));
  }
  static DecodeAttention Describe(const Step& step) {  // all but the arrays
    const Shape& shape = step.shape;
    DecodeAttention attention{};
    attention.q_stride = step.q_stride;
    attention.kv = {.k = nullptr,
                    .v = nullptr,
                    .format = shape.format,
                    .blocks_total = step.blocks_total,
                    .kv_heads = shape.kv_heads,
                    .block_size = shape.block_size,
                    .head_dim = shape.head_dim,
                    .k_scale = kKScale,
                    .v_scale = kVScale};
    attention.sequences = step.sequences(), attention.heads = shape.heads;
    attention.context_max = step.context_max();
    attention.scale = kScale;
    return attention;
  }

  // y of one head, and the sum of the values' magnitudes with their weights, which scales the error.
  struct Reference {
    std::vector<double> y, magnitude;
  };
  static Reference ReferenceOf(const Step& step, int sequence, int head) {
    const Shape& shape = step.shape;
    const int context = step.contexts[static_cast<std::size_t>(sequence)], kv_head = head / shape.group();
    std::vector<double> weights;
    for (int token = 0; token < context; ++token) {
      double score = 0;
      for (int dim = 0; dim < shape.head_dim; ++dim) {
        const Bf16 q = step.q[static_cast<std::size_t>(sequence * step.q_stride + head * shape.head_dim + dim)];
        score += ToFloat(q) * step.Stored(step.k, step.RowOf(sequence, kv_head, token), dim, kKScale);
      }
      weights.push_back(score * kScale);
    }
    const double largest = *std::max_element(weights.begin(), weights.end());
    double sum = 0;
    for (double& weight : weights) sum += weight = std::exp(weight - largest);
    Reference reference{std::vector<double>(static_cast<std::size_t>(shape.head_dim)),
                        std::vector<double>(static_cast<std::size_t>(shape.head_dim))};
    for (int token = 0; token < context; ++token) {
      const double weight = weights[static_cast<std::size_t>(token)] / sum;
      for (int dim = 0; dim < shape.head_dim; ++dim) {
        const double value = step.Stored(step.v, step.RowOf(sequence, kv_head, token), dim, kVScale);
        reference.y[static_cast<std::size_t>(dim)] += weight * value;
        reference.magnitude[static_cast<std::size_t>(dim)] += weight * std::abs(value);
      }
    }
    return reference;
  }

  // Weights are rounded to 8 significant bits (BF16) or 11 (half precision, with FP8), the output to 8; sums are in
  // F32.
  static void ExpectNear(const Step& step, const std::vector<Bf16>& y) {
    const Shape& shape = step.shape;
    const double weight_error = shape.format == KvFormat::kFp8 ? std::exp2(-11) : std::exp2(-8);
    for (int s = 0; s < step.sequences(); ++s) {
      for (int head = 0; head < shape.heads; ++head) {
        const Reference reference = ReferenceOf(step, s, head);
        for (int dim = 0; dim < shape.head_dim; ++dim) {
          const double expected = reference.y[static_cast<std::size_t>(dim)];
          const double error = weight_error * reference.magnitude[static_cast<std::size_t>(dim)] +
                               1.01 * std::exp2(-8) * std::abs(expected);
          const double got = ToFloat(y[static_cast<std::size_t>((s * shape.heads + head) * shape.head_dim + dim)]);
          ASSERT_NEAR(got, expected, error)
              << ToString(shape) << "; context " << step.contexts[static_cast<std::size_t>(s)] << ", sequence " << s
              << ", head " << head << ", dim " << dim;
        }
      }
    }
  }
  static void ExpectSameBits(const std::vector<Bf16>& a, const std::vector<Bf16>& b, const std::string& what) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_EQ(a[i].bits, b[i].bits) << what << ", element " << i;
  }
};

TEST_F(DecodeAttentionTest, MatchesTheReferenceInEveryShape) {
  const Shape shapes[] = {
      {9, 3, 64, 16, KvFormat::kBf16},   {4, 1, 96, 32, KvFormat::kBf16},   {8, 2, 128, 64, KvFormat::kBf16},
      {8, 1, 256, 128, KvFormat::kBf16}, {16, 1, 64, 128, KvFormat::kBf16}, {11, 1, 96, 16, KvFormat::kBf16},
      {16, 1, 128, 32, KvFormat::kBf16}, {9, 1, 256, 64, KvFormat::kBf16},  {1, 1, 128, 16, KvFormat::kBf16},
      {3, 1, 64, 64, KvFormat::kFp8},    {6, 3, 96, 128, KvFormat::kFp8},   {4, 1, 128, 16, KvFormat::kFp8},
      {2, 2, 256, 32, KvFormat::kFp8},   {9, 1, 64, 32, KvFormat::kFp8},    {16, 1, 96, 64, KvFormat::kFp8},
      {10, 1, 128, 128, KvFormat::kFp8}, {16, 1, 256, 16, KvFormat::kFp8},
  };
  for (const Shape& shape : shapes) {
    const Step step = MakeStep(shape, {17, 1, 131, 16, 15});
    ExpectNear(step, Compute(step, {}));
  }
}

#if defined(GPU_EMULATOR)
// Rows of 256 BF16 values then leave room for one tile of a warp alone.
TEST_F(DecodeAttentionTest, MatchesTheReferenceOnACardOfLittleSharedMemory) {
  for (const Shape& shape : {Shape{16, 1, 256, 16, KvFormat::kBf16}, Shape{3, 1, 256, 32, KvFormat::kBf16},
                             Shape{16, 1, 256, 16, KvFormat::kFp8}, Shape{16, 1, 128, 16, KvFormat::kBf16},
                             Shape{11, 1, 96, 16, KvFormat::kBf16}, Shape{4, 1, 64, 16, KvFormat::kFp8}}) {
    const Step step = MakeStep(shape, {131, 1, 300, 16});
    const std::vector<Bf16> usual = Compute(step, {});
    const SharedMemoryOf small;
    ForEachSchedule([&] { ExpectSameBits(Compute(step, {}), usual, ToString(shape)); });
    ExpectNear(step, usual);
  }
}
#endif

TEST_F(DecodeAttentionTest, ContextsAtTheEdgesOfTilesAndPieces) {
  for (KvFormat format : {KvFormat::kBf16, KvFormat::kFp8}) {
    const Step step = MakeStep({3, 1, 64, 16, format}, {127, 128, 129, 255, 256, 257, 1023, 1024, 1025, 63, 64, 65});
    ExpectNear(step, Compute(step, {}));
  }
}

TEST_F(DecodeAttentionTest, LongContextInManyPieces) {
  const Step step = MakeStep({4, 1, 64, 32, KvFormat::kBf16}, {4097, 5, 2048, 2049});
  ExpectNear(step, Compute(step, {}));
}

// From 32,769 tokens on, pieces of rows this short are longer than 512.
TEST_F(DecodeAttentionTest, VeryLongContextInLongerPieces) {
  const Step step = MakeStep({1, 1, 64, 128, KvFormat::kFp8}, {32770});
  ExpectNear(step, Compute(step, {}));
}

TEST_F(DecodeAttentionTest, PiecesBeyondTheMostOfAContextGrow) {
  const Step step = MakeStep({2, 1, 64, 16, KvFormat::kBf16}, {700, 300});
  for (int tokens : {128, 256, 512, 1024}) ExpectNear(step, Compute(step, {.tuning = {.piece_tokens = tokens}}));
}

TEST_F(DecodeAttentionTest, BitsDontDependOnWhoComputesWhat) {
  const Step step = MakeStep({6, 2, 64, 16, KvFormat::kBf16}, {300, 20, 1, 700, 128, 513});
  const std::vector<Bf16> expected = Compute(step, {.tuning = {.blocks = 1, .tail_percent = 0}});
  ExpectNear(step, expected);
  for (int blocks : {2, 3, 7, 29, 200}) {
    for (int tail_percent : {0, 30, 100}) {
      const DecodeAttentionTuning tuning{
          .stages = 2 + blocks % 5, .blocks = blocks, .tail_percent = tail_percent, .l2_bytes = blocks % 3 * 128};
      ExpectSameBits(Compute(step, {.tuning = tuning}), expected,
                     std::to_string(blocks) + " blocks, tail of " + std::to_string(tail_percent) + " %");
    }
  }
  ExpectSameBits(Compute(step, {}), expected, "the launcher's choice");
  ExpectSameBits(Compute(step, {.context_max = 100'000}), expected, "a grid for longer contexts");
}

TEST_F(DecodeAttentionTest, SameBitsAloneAndInCompany) {
  const Step step = MakeStep({4, 1, 128, 32, KvFormat::kFp8}, {40, 410, 1, 200});
  const std::vector<Bf16> together = Compute(step, {});
  const int row = step.shape.heads * step.shape.head_dim;
  for (int s = 0; s < step.sequences(); ++s) {
    Step alone = step;
    alone.contexts = {step.contexts[static_cast<std::size_t>(s)]};
    alone.positions = {step.positions[static_cast<std::size_t>(s)]};
    const int begin = step.block_begin[static_cast<std::size_t>(s)],
              end = step.block_begin[static_cast<std::size_t>(s) + 1];
    alone.block_begin = {0, end - begin};
    alone.block_ids.assign(step.block_ids.begin() + begin, step.block_ids.begin() + end);
    alone.q.assign(step.q.begin() + s * step.q_stride, step.q.begin() + (s + 1) * step.q_stride);
    ExpectSameBits(Compute(alone, {}), {together.begin() + s * row, together.begin() + (s + 1) * row},
                   "sequence " + std::to_string(s));
  }
}

TEST_F(DecodeAttentionTest, WorkspaceServesOneLaunchAfterAnother) {
  const Shape shape{8, 2, 64, 16, KvFormat::kBf16};
  const Step large = MakeStep(shape, {300, 500, 140}), small = MakeStep(shape, {600});
  const DeviceArray<std::uint8_t> workspace(std::vector<std::uint8_t>(WorkspaceBytes(large), 0));
  const DecodeAttentionTuning tuning{.blocks = 9};
  for (const Step* step : {&large, &small, &large, &large}) {
    ExpectSameBits(Compute(*step, {.tuning = tuning, .workspace = workspace.get()}), Compute(*step, {}), "reused");
  }
}

TEST_F(DecodeAttentionTest, SameBitsUnderEverySchedule) {
  for (const Shape& shape : {Shape{4, 1, 96, 16, KvFormat::kFp8}, Shape{9, 1, 64, 32, KvFormat::kBf16}}) {
    const Step step = MakeStep(shape, {270, 33});
    const std::vector<Bf16> expected = Compute(step, {});
    ForEachSchedule([&] { ExpectSameBits(Compute(step, {.tuning = {.blocks = 5}}), expected, "5 blocks"); });
  }
}

// Scores of some hundreds would overflow an exponential that wasn't taken relative to the largest.
TEST_F(DecodeAttentionTest, LargeScores) {
  for (KvFormat format : {KvFormat::kBf16, KvFormat::kFp8}) {
    Step step = MakeStep({4, 1, 64, 16, format}, {200});
    for (Bf16& q : step.q) q = ToBf16(ToFloat(q) * 40.0F);
    // One key that all heads prefer by far: the output is its value.
    for (int dim = 0; dim < 64; ++dim) {
      for (int head = 0; head < 4; ++head)
        step.q[static_cast<std::size_t>(head * 64 + dim)] = ToBf16(dim < 32 ? 300.0F : 0.001F);
      step.Store(step.k, step.RowOf(0, 0, 150), dim, 8.0F);
    }
    ExpectNear(step, Compute(step, {}));
  }
}

TEST_F(DecodeAttentionTest, NotANumberStaysInItsRowAndHead) {
  const Shape shape{4, 2, 64, 16, KvFormat::kBf16};
  const Step clean = MakeStep(shape, {300, 40});
  const std::vector<Bf16> expected = Compute(clean, {});
  Step step = clean;
  step.Store(step.k, step.RowOf(0, 1, 130), 5, std::numeric_limits<float>::quiet_NaN());
  const std::vector<Bf16> y = Compute(step, {});
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (i >= 2 * 64 && i < 4 * 64) {  // sequence 0, the query heads of key/value head 1
      EXPECT_TRUE(std::isnan(ToFloat(y[i]))) << i;
    } else {
      EXPECT_EQ(y[i].bits, expected[i].bits) << i;
    }
  }
}

// What it reads instead is not outside of the pool: the address sanitizer would see it.
TEST_F(DecodeAttentionTest, BlockOutsideThePoolIsNaN) {
  for (const KvFormat format : {KvFormat::kBf16, KvFormat::kFp8}) {
    for (const int head_dim : {64, 96, 128, 256}) {
      Step step = MakeStep({4, 2, head_dim, 16, format}, {40, 300, 20});
      const std::vector<Bf16> expected = Compute(step, {});
      for (const std::uint32_t wrong : {static_cast<std::uint32_t>(step.blocks_total), 0xFFFFFFFFU}) {
        step.block_ids[static_cast<std::size_t>(step.block_begin[1]) + 7] = wrong;
        const std::vector<Bf16> y = Compute(step, {});
        const auto row = static_cast<std::size_t>(4 * head_dim);
        for (std::size_t i = 0; i < y.size(); ++i) {
          if (i / row == 1) {
            ASSERT_TRUE(std::isnan(ToFloat(y[i])) && y[i].bits != 0xFFFF) << i << ", head_dim " << head_dim;
          } else {
            ASSERT_EQ(y[i].bits, expected[i].bits) << i << ", head_dim " << head_dim;
          }
        }
      }
    }
  }
}

TEST_F(DecodeAttentionTest, RowsWithoutAPositionAreLeftOut) {
  const Shape shape{2, 1, 64, 16, KvFormat::kBf16};
  const Step step = MakeStep(shape, {0, 20, 0, 0, 300, 0});
  const std::vector<Bf16> y = Compute(step, {.tuning = {.blocks = 3}});
  const Step dense = MakeStep(shape, {20, 300});
  for (int s = 0; s < step.sequences(); ++s) {
    for (int i = 0; i < 2 * 64; ++i) {
      const Bf16 value = y[static_cast<std::size_t>(s * 2 * 64 + i)];
      if (step.contexts[static_cast<std::size_t>(s)] == 0) {
        ASSERT_EQ(value.bits, 0xFFFF);
      } else {
        ASSERT_FALSE(std::isnan(ToFloat(value)));
      }
    }
  }
}

TEST_F(DecodeAttentionTest, CapturedOnceServesGrowingContexts) {
  const Shape shape{4, 1, 64, 16, KvFormat::kBf16};
  Step step = MakeStep(shape, {310, 290, 33});
  const DeviceArray<Bf16> q(step.q);
  const DeviceArray<std::uint8_t> k(step.k), v(step.v), workspace(std::vector<std::uint8_t>(WorkspaceBytes(step), 0));
  DeviceArray<std::int32_t> positions(step.positions), block_begin(step.block_begin);
  const DeviceArray<std::uint32_t> block_ids(step.block_ids);
  DeviceArray<Bf16> y(static_cast<std::size_t>(3 * 4 * 64));
  DecodeAttention attention = Describe(step);
  attention.q = q.get(), attention.kv.k = k.get(), attention.kv.v = v.get();
  attention.positions = positions.get(), attention.block_begin = block_begin.get(),
  attention.block_ids = block_ids.get();
  attention.workspace = workspace.get(), attention.y = y.get();
  attention.context_max = 512;
  Stream stream = nullptr;
  Graph graph = nullptr;
  ASSERT_LAUNCHED(CreateStream(&stream));
  ASSERT_LAUNCHED(BeginCapture(stream));
  ASSERT_LAUNCHED(RunDecodeAttention(attention, stream));
  ASSERT_LAUNCHED(EndCapture(stream, &graph));
  for (int shorter : {200, 20, 0}) {
    for (std::size_t s = 0; s < 3; ++s) {
      step.contexts[s] = std::max(1, step.positions[s] + 1 - shorter);
    }
    std::vector<std::int32_t> now;
    for (int context : step.contexts) now.push_back(context - 1);
    ASSERT_LAUNCHED(CopyToDevice(positions.get(), now.data(), now.size() * sizeof(now[0]), stream));
    ASSERT_LAUNCHED(StartGraph(graph, stream));
    ASSERT_LAUNCHED(Synchronize(stream));
    ExpectNear(step, y.Read());
  }
  DestroyGraph(graph);
  DestroyStream(stream);
}

TEST_F(DecodeAttentionTest, RefusesWhatItDoesNotCompute) {
  const Step step = MakeStep({4, 2, 64, 16, KvFormat::kBf16}, {20});
  alignas(16) static unsigned char somewhere[16];
  DecodeAttention good = Describe(step);
  good.q = reinterpret_cast<const Bf16*>(somewhere), good.y = reinterpret_cast<Bf16*>(somewhere);
  good.kv.k = good.kv.v = good.workspace = somewhere;
  good.positions = good.block_begin = reinterpret_cast<const std::int32_t*>(somewhere);
  good.block_ids = reinterpret_cast<const std::uint32_t*>(somewhere);
  const auto refused = [&](auto change) {
    DecodeAttention attention = good;
    change(attention);
    EXPECT_REFUSED(RunDecodeAttention(attention, nullptr));
  };
  refused([](DecodeAttention& a) { a.sequences = -1; });
  refused([](DecodeAttention& a) { a.heads = 0; });
  refused([](DecodeAttention& a) { a.heads = 5; });
  refused([](DecodeAttention& a) { a.heads = 34, a.q_stride = 34 * 64; });
  refused([](DecodeAttention& a) { a.kv.kv_heads = 0; });
  refused([](DecodeAttention& a) { a.kv.block_size = 8; });
  refused([](DecodeAttention& a) { a.kv.block_size = 48; });
  refused([](DecodeAttention& a) { a.kv.head_dim = 80, a.q_stride = 1024; });
  refused([](DecodeAttention& a) { a.kv.blocks_total = 0; });
  refused([](DecodeAttention& a) { a.kv.k = nullptr; });
  refused([](DecodeAttention& a) { a.kv.v = somewhere + 8; });
  refused([](DecodeAttention& a) { a.context_max = 0; });
  refused([](DecodeAttention& a) { a.q_stride = 4 * 64 - 4; });
  refused([](DecodeAttention& a) { a.q_stride = 4 * 64 + 2; });
  refused([](DecodeAttention& a) { a.q = nullptr; });
  refused([](DecodeAttention& a) { a.y = nullptr; });
  refused([](DecodeAttention& a) { a.positions = nullptr; });
  refused([](DecodeAttention& a) { a.block_begin = nullptr; });
  refused([](DecodeAttention& a) { a.block_ids = nullptr; });
  refused([](DecodeAttention& a) { a.workspace = nullptr; });
  refused([](DecodeAttention& a) { a.tuning.stages = -1; });
  refused([](DecodeAttention& a) { a.tuning.stages = 7; });
  refused([](DecodeAttention& a) { a.tuning.piece_tokens = 64; });
  refused([](DecodeAttention& a) { a.tuning.piece_tokens = 384; });
  refused([](DecodeAttention& a) { a.tuning.blocks = -1; });
  refused([](DecodeAttention& a) { a.tuning.tail_percent = 101; });
  refused([](DecodeAttention& a) { a.tuning.l2_bytes = 64; });
  refused([](DecodeAttention& a) { a.sequences = 1 << 20, a.context_max = std::numeric_limits<std::int32_t>::max(); });
}

TEST_F(DecodeAttentionTest, NoSequencesEnqueueNothing) {
  DecodeAttention attention = Describe(MakeStep({4, 2, 64, 16, KvFormat::kBf16}, {1}));
  attention.sequences = 0;
  ASSERT_LAUNCHED(RunDecodeAttention(attention, nullptr));
  EXPECT_EQ(DecodeAttentionWorkspaceBytes(0, 4, 64), 0);
}

}  // namespace
}  // namespace kernels::gpu
