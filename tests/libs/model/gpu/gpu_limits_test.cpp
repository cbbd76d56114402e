// What a device model refuses, and what it does when memory or the device itself is gone.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/primitives/gpu/launch_errors.h"
#include "kernels/quant/repack_gpu.h"
#include "kernels/sampling/sample_variants.h"
#include "libs/model/gpu/device_memory.h"
#include "libs/model/gpu/llama_gpu_model.h"
#include "libs/model/gpu/step_shape.h"
#include "tests/libs/model/gpu/gpu_model_fixture.h"
#if defined(GPU_EMULATOR)
#include "kernels/primitives/emulator/emulator.h"
#endif

namespace model {
namespace {

bool Names(const absl::Status& status, const char* word) {
  return std::string(status.message()).find(word) != std::string::npos;
}

TEST(StepShapeTest, RowBucketsHoldTheirRowsAndWasteAtMostHalf) {
  std::int32_t before = 0;
  for (std::int32_t rows = 1; rows <= 200; ++rows) {
    const std::int32_t bucket = RowsBucket(rows, 200);
    ASSERT_GE(bucket, rows);
    ASSERT_LE(bucket, std::max(1, 2 * rows - 1));
    ASSERT_GE(bucket, before);
    before = bucket;
  }
  const std::int32_t expected[] = {1, 2, 4, 4, 8, 8, 8, 8, 16};
  for (std::int32_t rows = 1; rows <= 9; ++rows) EXPECT_EQ(RowsBucket(rows, 64), expected[rows - 1]) << rows;
  EXPECT_EQ(RowsBucket(17, 64), 24);
  EXPECT_EQ(RowsBucket(25, 64), 32);
  EXPECT_EQ(RowsBucket(33, 64), 48);
  EXPECT_EQ(RowsBucket(49, 64), 64);
  EXPECT_EQ(RowsBucket(9, 10), 10);
  EXPECT_EQ(ContextBucket(1, 8192), 512);
  EXPECT_EQ(ContextBucket(513, 8192), 1024);
  EXPECT_EQ(ContextBucket(8192, 8192), 8192);
  EXPECT_EQ(ContextBucket(5000, 6000), 6000);
}

// The tokens that may be picked are fewer than the rows of logits, where a file pads its vocabulary.
TEST(StepBuffersTest, SamplingWorkspaceHoldsAnyStepOverTheTokensThatMayBePicked) {
  struct Case {
    std::int32_t rows, vocabulary, tokens;
  };
  for (const Case& test : {Case{32, 65600, 65536}, Case{32, 65536, 65536}, Case{64, 128256, 128000}, Case{8, 83, 40},
                           Case{64, 152064, 151643}, Case{1, 32064, 32000}, Case{33, 49152, 1}}) {
    DecoderConfig config;
    config.width = 128, config.heads = 2, config.kv_heads = 1, config.head_dim = 64, config.ffn_width = 96;
    config.vocabulary = test.vocabulary;
    void* const base = reinterpret_cast<void*>(256);  // never read
    MemoryPlan plan(base);
    const StepBuffers buffers(plan, config, 64, test.rows, test.tokens);
    const std::int64_t held =
        static_cast<std::byte*>(base) + plan.bytes() - buffers.sample_workspace;  // it is the last
    for (std::int32_t rows = 1; rows <= test.rows; ++rows) {
      const kernels::gpu::SampleVariant variant = kernels::gpu::ChooseSampleVariant(rows, test.tokens);
      ASSERT_GE(held, kernels::gpu::SampleVariantWorkspaceBytes(rows, test.tokens, variant))
          << rows << " of " << test.rows << " rows, " << test.tokens << " tokens of " << test.vocabulary;
    }
  }
}

std::vector<std::uint8_t> ReadDevice(const void* memory, std::int64_t bytes) {
  std::vector<std::uint8_t> read(static_cast<std::size_t>(bytes));
  EXPECT_TRUE(kernels::gpu::CopyToHost(read.data(), memory, read.size(), nullptr).ok());
  EXPECT_TRUE(kernels::gpu::Synchronize(kernels::gpu::Stream{nullptr}).ok());
  return read;
}

// A matrix that is larger than the staging is repacked in runs of rows; how long they are must not show.
TEST(GpuWeightsTest, RunsOfAnyLengthGiveTheSameMatrix) {
  TinyLlama tiny{.width = 128, .heads = 2, .kv_heads = 1, .ffn_width = 96, .vocabulary = 83};
  tiny.tied = false;
  const auto file = ParseTiny(tiny);
  const auto config = DecoderConfig::FromGguf(*file);
  const auto weights = DecoderWeights::FromGguf(*file, *config);
  ASSERT_TRUE(weights.ok()) << weights.status();
  for (GpuWeightsFormat format : {GpuWeightsFormat::kFp8, GpuWeightsFormat::kBf16}) {
    const auto whole = GpuWeights::Upload(*weights, *config, format, 1, {});
    ASSERT_TRUE(whole.ok()) << whole.status();
    const std::int64_t row_bytes = kernels::RowBytes(weights->layers[0].q.format, 128);
    for (std::int64_t rows : {0, 5, 9, 30}) {
      const auto cut = GpuWeights::Upload(*weights, *config, format, 1, {}, rows * row_bytes + 1);
      ASSERT_TRUE(cut.ok()) << rows << " rows: " << cut.status();
      const kernels::gpu::Matrix matrices[][2] = {{whole->layers[1].qkv.parts[0], cut->layers[1].qkv.parts[0]},
                                                  {whole->layers[1].down, cut->layers[1].down},
                                                  {whole->output, cut->output}};
      for (const auto& [expected, actual] : matrices) {
        const auto bytes = kernels::gpu::BytesOfMatrix(expected.format, expected.n, expected.k);
        EXPECT_EQ(ReadDevice(actual.data, bytes.data), ReadDevice(expected.data, bytes.data)) << rows;
        EXPECT_EQ(ReadDevice(actual.scales, bytes.scales), ReadDevice(expected.scales, bytes.scales)) << rows;
      }
    }
  }
}

// As RunsOfAnyLength: 4 Mi random values are 819.2 rows of 5,120.
TEST(GpuWeightsTest, RandomRowsThatDoNotDivideTheRandomBlockAreRepacked) {
  DecoderConfig config;
  config.layers = 1, config.width = 5120, config.heads = config.kv_heads = 10, config.head_dim = 64;
  config.ffn_width = 32, config.vocabulary = 8;
  const auto weights = GpuWeights::Random(config, GpuWeightsFormat::kFp8, 1);
  EXPECT_TRUE(weights.ok()) << weights.status();
}

TEST_F(GpuModelTest, ShapesThatTheKernelsDoNotCoverAreRefusedWithTheWayOut) {
  TinyLlama tiny;  // heads of 16
  auto model = LlamaGpuModel::Load(*ParseTiny(tiny), SmallOptions());
  EXPECT_EQ(model.status().code(), absl::StatusCode::kFailedPrecondition) << model.status();
  EXPECT_TRUE(Names(model.status(), "heads of 16") && Names(model.status(), "--device=cpu")) << model.status();
}

TEST_F(GpuModelTest, WhatTheDeviceDoesNotComputeSoFarIsRefusedWithTheWayOut) {
  TinyLlama tiny = Tiny();
  tiny.architecture = "gemma3";
  const absl::Status status = LlamaGpuModel::Load(*ParseTiny(tiny), SmallOptions()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_TRUE(Names(status, "gemma3") && Names(status, "use --device=cpu")) << status;
}

TEST_F(GpuModelTest, AnotherCardIsNamedOnlyWhereTheCardIsWhatRefuses) {
  using kernels::gpu::LaunchResult;
  for (const char* reason : {kernels::gpu::kInvalidValue, kernels::gpu::kNoKernelImage}) {
    const absl::Status status = ToStatus(LaunchResult::Refused(reason), "a step");
    EXPECT_TRUE(Names(status, "another card") && Names(status, "--device=cpu")) << status;
  }
  for (const char* reason : {"requires gemm.w.k % 32 == 0", "cudaErrorInvalidValue"}) {
    const absl::Status status = ToStatus(LaunchResult::Refused(reason), "a step");
    EXPECT_TRUE(!Names(status, "another card") && Names(status, "--device=cpu")) << status;
  }
}

TEST_F(GpuModelTest, OptionsOutOfBoundsAreNamed) {
  const struct {
    const char* name;
    void (*spoil)(GpuModelOptions&);
  } cases[] = {
      {"block_size", [](GpuModelOptions& o) { o.block_size = 4; }},
      {"kv_blocks", [](GpuModelOptions& o) { o.blocks_total = -1; }},
      {"sequences_max", [](GpuModelOptions& o) { o.samples_max = 0; }},
      {"step_tokens_max", [](GpuModelOptions& o) { o.rows_max = 3; }},
      {"device_ordinal", [](GpuModelOptions& o) { o.ordinal = -1; }},
      {"tokens_total", [](GpuModelOptions& o) { o.tokens_total = 84; }},
      {"threads", [](GpuModelOptions& o) { o.load_threads = 0; }},
  };
  for (const auto& test : cases) {
    GpuModelOptions options = SmallOptions();
    test.spoil(options);
    const absl::Status status = LlamaGpuModel::Load(*ParseTiny(Tiny()), options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << test.name;
    EXPECT_TRUE(Names(status, test.name)) << status;
  }
}

TEST_F(GpuModelTest, NoSuchCardIsToldWithTheWayOut) {
  GpuModelOptions options = SmallOptions();
  options.ordinal = 1000;
  const absl::Status status = LlamaGpuModel::Load(*ParseTiny(Tiny()), options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_TRUE(Names(status, "--device=cpu")) << status;
}

TEST_F(GpuModelTest, BatchBeyondTheOptionsIsABug) {
  auto model = Load(Tiny(), SmallOptions());
  ASSERT_NE(model, nullptr);
  kvcache::StepBatch batch;
  batch.Clear();
  batch.token_ids = {83};
  batch.positions = {0};
  batch.row_begin = {0, 1};
  batch.block_begin = {0, 1};
  batch.block_ids = {0};
  EXPECT_DEATH(static_cast<void>(model->Enqueue(batch, {})), "vocabulary");
  batch.token_ids = {-1000};  // no such sample in the step before
  EXPECT_DEATH(static_cast<void>(model->Enqueue(batch, {})), "before");
  batch.token_ids = {0};
  batch.block_ids = {25};
  EXPECT_DEATH(static_cast<void>(model->Enqueue(batch, {})), "blocks_total");
  batch.block_ids = {0};
  batch.positions = {16};  // in a second block, which the sequence does not have
  EXPECT_DEATH(static_cast<void>(model->Enqueue(batch, {})), "slots");
}

TEST_F(GpuModelTest, ProgressReachesTheEnd) {
  GpuModelOptions options = SmallOptions();
  std::int64_t last = 0, total = 0;
  options.progress = [&](std::int64_t done, std::int64_t all) {
    EXPECT_GT(done, last);
    last = done;
    total = all;
  };
  for (bool tied : {true, false}) {
    last = 0;
    TinyLlama tiny = Tiny();
    tiny.tied = tied;
    ASSERT_NE(Load(tiny, options), nullptr);
    EXPECT_GT(total, 0);
    EXPECT_EQ(last, total);
  }
}

#if defined(GPU_EMULATOR)
// Every allocation may be the one that does not fit: each is told with the options to turn, and nothing is left behind.
TEST_F(GpuModelTest, TooLittleMemoryIsToldWithTheOptionsAndNothingLeaks) {
  namespace emulator = kernels::gpu::emulator;
  const std::int64_t before = emulator::MemoryInUse();
  std::int64_t needed = 0;
  {
    auto model = Load(Tiny(), SmallOptions());
    ASSERT_NE(model, nullptr);
    needed = emulator::MemoryInUse() - before;
  }
  EXPECT_EQ(emulator::MemoryInUse(), before);
  for (std::int64_t limit = 0; limit < needed; limit += needed / 40 + 1) {
    emulator::SetMemoryLimit(before + limit);
    const absl::Status status = LlamaGpuModel::Load(*ParseTiny(Tiny()), SmallOptions()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << limit << ": " << status;
    EXPECT_TRUE(Names(status, "kv_blocks") && Names(status, "step_tokens_max")) << status;
    EXPECT_EQ(emulator::MemoryInUse(), before);
  }
  emulator::SetMemoryLimit(-1);
}

TEST_F(GpuModelTest, PoolOfNoStatedSizeTakesWhatIsLeft) {
  namespace emulator = kernels::gpu::emulator;
  GpuModelOptions options = SmallOptions();
  options.blocks_total = 0;
  emulator::SetMemoryLimit(emulator::MemoryInUse() + (std::int64_t{1} << 30));
  {
    auto model = Load(Tiny(), options);
    ASSERT_NE(model, nullptr);
    const std::int64_t pool = model->kv_bytes_per_token() * 16 * model->blocks_total();
    EXPECT_GT(pool, std::int64_t{256} << 20);
    EXPECT_LT(pool, std::int64_t{512} << 20) << "a reserve is left";
  }
  emulator::SetMemoryLimit(emulator::MemoryInUse() + (std::int64_t{300} << 20));
  EXPECT_EQ(LlamaGpuModel::Load(*ParseTiny(Tiny()), options).status().code(), absl::StatusCode::kResourceExhausted);
  emulator::SetMemoryLimit(-1);
}

// Whatever call the device dies in, the model says so once and for all, and neither hangs nor crashes.
TEST_F(GpuModelTest, LostDeviceIsAnErrorWhereverItStrikes) {
  namespace emulator = kernels::gpu::emulator;
  int lost_loading = 0, lost_running = 0;
  for (std::int64_t submissions = 0; submissions < 150; submissions += 17) {
    emulator::LoseDeviceAfter(submissions);
    auto loaded = LlamaGpuModel::Load(*ParseTiny(Tiny()), SmallOptions());
    if (!loaded.ok()) {
      EXPECT_EQ(loaded.status().code(), absl::StatusCode::kInternal) << loaded.status();
      ++lost_loading;
    } else {
      LlamaGpuModel& model = **loaded;
      kvcache::StepBatch batch;
      batch.Clear();
      batch.token_ids = batch.positions = batch.logit_rows = {0};
      batch.row_begin = batch.block_begin = {0, 1};
      batch.block_ids = {0};
      const StepSample greedy;
      absl::Status status;
      for (int step = 0; step < 100 && status.ok(); ++step) {
        status = model.Enqueue(batch, {&greedy, 1});
        if (status.ok()) status = model.Collect().status();
      }
      EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
      EXPECT_TRUE(model.device_lost());
      ++lost_running;
    }
    emulator::LoseDeviceAfter(-1);
  }
  EXPECT_GT(lost_loading, 0);
  EXPECT_GT(lost_running, 0);
}

kvcache::StepBatch OneDecode() {
  kvcache::StepBatch batch;
  batch.Clear();
  batch.token_ids = batch.positions = batch.logit_rows = {0};
  batch.row_begin = batch.block_begin = {0, 1};
  batch.block_ids = {0};
  return batch;
}

// The next step writes into the same pinned memory that copies of a refused one may still read.
TEST_F(GpuModelTest, StepThatIsRefusedMidwayLeavesNothingInFlight) {
  namespace emulator = kernels::gpu::emulator;
  using kernels::gpu::LaunchResult;
  GpuModelOptions options = SmallOptions();
  options.graphs_max = 0;
  auto model = Load(Tiny(), options);
  ASSERT_NE(model, nullptr);
  const kvcache::StepBatch batch = OneDecode();
  const StepSample greedy;
  ASSERT_TRUE(model->Enqueue(batch, {&greedy, 1}).ok());
  const std::int32_t expected = (*model->Collect())[0];
  for (const LaunchResult& result : {LaunchResult::Refused("a test"), LaunchResult::NoMemory("a test")}) {
    for (std::int64_t after = 0; after < 12; ++after) {
      emulator::FailOnceAfter(after, result);
      const absl::Status status = model->Enqueue(batch, {&greedy, 1});
      ASSERT_FALSE(status.ok()) << after;
      EXPECT_TRUE(Names(status, "a test")) << status;
      EXPECT_EQ(emulator::StreamsUnwaited(), 0) << after;
      EXPECT_FALSE(model->device_lost());
      EXPECT_EQ(model->steps_in_flight(), 0);
      ASSERT_TRUE(model->Enqueue(batch, {&greedy, 1}).ok());
      EXPECT_EQ((*model->Collect())[0], expected);
    }
  }
  emulator::FailOnceAfter(-1, LaunchResult::Ok());
}

TEST_F(GpuModelTest, StepsRunUncapturedWhereAGraphCannotBeMade) {
  namespace emulator = kernels::gpu::emulator;
  auto model = Load(Tiny(), SmallOptions());
  ASSERT_NE(model, nullptr);
  const kvcache::StepBatch batch = OneDecode();
  const StepSample greedy;
  emulator::RefuseGraphs(true);
  std::int32_t expected = -1;
  for (int step = 0; step < 6; ++step) {
    const absl::Status status = model->Enqueue(batch, {&greedy, 1});
    ASSERT_TRUE(status.ok()) << status;
    const std::int32_t pick = (*model->Collect())[0];
    if (step == 0) expected = pick;
    EXPECT_EQ(pick, expected);
    EXPECT_EQ(model->graphs(), 0U);
  }
  emulator::RefuseGraphs(false);
}
#endif

}  // namespace
}  // namespace model
