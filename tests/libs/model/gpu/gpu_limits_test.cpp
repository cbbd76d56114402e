// What a device model refuses, and what it does when memory or the device itself is gone.
#include <gtest/gtest.h>

#include <string>

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

TEST_F(GpuModelTest, ShapesThatTheKernelsDoNotCoverAreRefusedWithTheWayOut) {
  TinyLlama tiny;  // heads of 16
  auto model = LlamaGpuModel::Load(*ParseTiny(tiny), SmallOptions());
  EXPECT_EQ(model.status().code(), absl::StatusCode::kFailedPrecondition) << model.status();
  EXPECT_TRUE(Names(model.status(), "heads of 16") && Names(model.status(), "--device=cpu")) << model.status();
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
#endif

}  // namespace
}  // namespace model
