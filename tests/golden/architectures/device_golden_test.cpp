// The architectures that a device serves against the same independent reference, on models whose heads are as long as
// its kernels take: on the emulator, or on a card when the build has MESH_CUDA.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "libs/model/gpu/llama_gpu_model.h"
#include "tests/golden/architectures/golden_file.h"

namespace model {
namespace {

// Logits after each token, the sequence processed in chunks of `chunk` rows.
std::vector<float> LogitsInChunks(LlamaGpuModel& model, const std::vector<std::int32_t>& tokens, std::int32_t chunk) {
  std::vector<float> all;
  ForEachChunk(tokens, chunk, [&](const kvcache::StepBatch& batch, std::int32_t rows) {
    const std::vector<StepSample> greedy(batch.logit_rows.size());
    const absl::Status started = model.Enqueue(batch, greedy);
    EXPECT_TRUE(started.ok()) << started;
    const absl::Status ended = model.Collect().status();
    EXPECT_TRUE(ended.ok()) << ended;
    const absl::StatusOr<std::vector<float>> logits = model.ReadLogits(rows);
    EXPECT_TRUE(logits.ok()) << logits.status();
    if (logits.ok()) all.insert(all.end(), logits->begin(), logits->end());
  });
  return all;
}

class DeviceGoldenTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Models, DeviceGoldenTest, testing::Values("llama", "qwen2", "qwen3"),
                         [](const auto& test) { return std::string(test.param); });

// About twice what was seen; weights, activations and KV cache are rounded to BF16.
TEST_P(DeviceGoldenTest, LogitsAreNearTheReferencesHoweverTheSequenceIsCut) {
  constexpr double kRelativeMax = 0.02;
  const std::string name = std::string(GetParam()) + ".device";
  const Golden golden = ReadGolden(name);
  ASSERT_FALSE(golden.tokens.empty()) << "golden files of " << name << " are missing or damaged";
  const auto file = tensor::GgufFile::Open(PathOf(name + ".f16.gguf"));
  ASSERT_TRUE(file.ok()) << file.status();
  const auto tokens = static_cast<std::int32_t>(golden.tokens.size());
  const auto model = LlamaGpuModel::Load(**file, {.blocks_total = tokens / kBlockSize + 1,
                                                  .block_size = kBlockSize,
                                                  .rows_max = tokens,
                                                  .samples_max = tokens,
                                                  .positions_max = tokens});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(ArchitectureName((*model)->config().architecture), GetParam());
  for (std::int32_t chunk : {tokens, 7, 1}) {
    const std::vector<float> logits = LogitsInChunks(**model, golden.tokens, chunk);
    ASSERT_EQ(logits.size(), golden.logits.size());
    const Difference difference = Compare(logits, golden.logits);
    EXPECT_LT(difference.relative, kRelativeMax) << "chunks of " << chunk;
    std::printf("%s, chunks of %d: root mean square difference %.4f of the spread\n", GetParam(), chunk,
                difference.relative);
  }
}

}  // namespace
}  // namespace model
