// Every architecture against an independent reference (transformers, F32): tiny random models that make_golden.py made,
// each with everything that sets its architecture apart.
#include <gtest/gtest.h>

#include <cstdio>

#include "libs/model/decoder_model.h"
#include "tests/golden/architectures/golden_file.h"

namespace model {
namespace {

std::unique_ptr<DecoderModel> LoadModel(const std::string& file_name, Activations activations, std::int32_t tokens) {
  auto file = tensor::GgufFile::Open(PathOf(file_name));
  EXPECT_TRUE(file.ok()) << file.status();
  if (!file.ok()) return nullptr;
  auto model = DecoderModel::Load(*std::move(file), {.threads = 2,
                                                     .blocks_total = tokens / kBlockSize + 1,
                                                     .block_size = kBlockSize,
                                                     .rows_max = tokens,
                                                     .samples_max = tokens,
                                                     .positions_max = tokens,
                                                     .kv_dtype = kvcache::KvDtype::kF32,
                                                     .activations = activations});
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *std::move(model) : nullptr;
}

// Logits after each token, the sequence processed in chunks of `chunk` rows.
std::vector<float> LogitsInChunks(DecoderModel& model, const std::vector<std::int32_t>& tokens, std::int32_t chunk) {
  std::vector<float> all;
  ForEachChunk(tokens, chunk, [&](const kvcache::StepBatch& batch, std::int32_t rows) {
    model.ForwardStep(batch);
    for (std::int32_t row = 0; row < rows; ++row) {
      const std::span<const float> logits = model.logits(row);
      all.insert(all.end(), logits.begin(), logits.end());
    }
  });
  return all;
}

class ArchitecturesGoldenTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    golden_ = ReadGolden(GetParam());
    ASSERT_FALSE(golden_.tokens.empty()) << "golden files of " << GetParam() << " are missing or damaged";
  }
  std::int32_t tokens() const { return static_cast<std::int32_t>(golden_.tokens.size()); }

  Golden golden_;
};
INSTANTIATE_TEST_SUITE_P(Models, ArchitecturesGoldenTest, testing::Values("llama", "qwen2", "qwen3", "gemma3"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(ArchitecturesGoldenTest, LogitsAreTheReferencesHoweverTheSequenceIsCut) {
  constexpr double kDifferenceMax = 1e-4;  // of logits whose spread is 1 to 2
  const auto model = LoadModel(std::string(GetParam()) + ".f16.gguf", Activations::kF32, tokens());
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(ArchitectureName(model->config().architecture), GetParam());
  std::vector<float> whole;
  for (std::int32_t chunk : {tokens(), 7, 1}) {
    const std::vector<float> logits = LogitsInChunks(*model, golden_.tokens, chunk);
    ASSERT_EQ(logits.size(), golden_.logits.size());
    const Difference difference = Compare(logits, golden_.logits);
    EXPECT_LT(difference.largest, kDifferenceMax) << "chunks of " << chunk;
    std::printf("%s, chunks of %d: largest difference of a logit %.1e\n", GetParam(), chunk, difference.largest);
    if (whole.empty()) whole = logits;
    EXPECT_EQ(logits, whole) << "chunks of " << chunk << " change bits";
  }
}

// What rounding costs, as a share of the logits' spread. Tiny random models lose more than real ones: rows of 32 to 128
// values average little, and every layer turns the stream around.
TEST_P(ArchitecturesGoldenTest, RoundedWeightsAndActivationsStayNearTheReference) {
  const struct {
    const char* what;
    const char* file;
    Activations activations;
    double relative_max;
  } cases[] = {{"weights in BF16", ".f16.gguf", Activations::kInt8, 0.02},  // F16 is packed so, with inputs in F32
               {"weights in Q8_0", ".q8_0.gguf", Activations::kF32, 0.04},
               {"weights in Q8_0, activations in int8", ".q8_0.gguf", Activations::kInt8, 0.07}};
  for (const auto& c : cases) {
    const auto model = LoadModel(std::string(GetParam()) + c.file, c.activations, tokens());
    ASSERT_NE(model, nullptr);
    const Difference difference = Compare(LogitsInChunks(*model, golden_.tokens, tokens()), golden_.logits);
    EXPECT_LT(difference.relative, c.relative_max) << c.what;
    std::printf("%s, %s: root mean square difference %.4f of the spread\n", GetParam(), c.what, difference.relative);
  }
}

}  // namespace
}  // namespace model
