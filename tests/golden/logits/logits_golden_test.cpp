// The forward pass against an independent reference (transformers, F32, the same dequantised weights), on the real
// model. Needs the model file: `make model` fetches it, or MESH_MODEL names it.
#include <gtest/gtest.h>

#include <cmath>

#include "libs/base/check.h"
#include "tests/golden/logits/golden_cases.h"
#include "tests/libs/model/sequence_driver.h"

namespace model {
namespace {

constexpr double kDifferenceMax = 0.05;
constexpr char kFolder[] = "tests/golden/logits";

class LogitsGoldenTest : public testing::Test {
 protected:
  void SetUp() override {
    auto file = tensor::GgufFile::Open(golden::ModelPath());
    ASSERT_TRUE(file.ok()) << file.status() << "\nThis test needs the real model: run `make model`, or set MESH_MODEL.";
    file_ = *std::move(file);
    cases_ = golden::ReadCases(kFolder);
    ASSERT_EQ(cases_.size(), 20u) << "golden files in " << kFolder << " are missing or damaged";
  }

  std::unique_ptr<DecoderModel> Load(DecoderOptions options) {
    auto model = DecoderModel::Load(file_, options);
    EXPECT_TRUE(model.ok()) << model.status();
    return *std::move(model);
  }

  // The largest difference from the reference over all probes, each sequence processed in chunks of `chunk` rows.
  double LargestDifference(DecoderModel& model, std::int32_t chunk, double difference_max) {
    double largest = 0.0;
    for (const golden::Case& golden_case : cases_) {
      std::vector<std::int32_t> tokens = golden_case.prompt;
      tokens.insert(tokens.end(), golden_case.greedy.begin(), golden_case.greedy.end());
      kvcache::StepBatch batch;
      for (std::int32_t begin = 0; begin < static_cast<std::int32_t>(tokens.size()); begin += chunk) {
        const std::int32_t end = std::min(begin + chunk, static_cast<std::int32_t>(tokens.size()));
        batch.Clear();
        for (std::int32_t position = begin; position < end; ++position) {
          batch.token_ids.push_back(tokens[static_cast<std::size_t>(position)]);
          batch.positions.push_back(position);
        }
        for (std::uint32_t block = 0; block <= static_cast<std::uint32_t>(end) / 16; ++block)
          batch.block_ids.push_back(block);
        batch.row_begin.push_back(end - begin);
        batch.block_begin.push_back(static_cast<std::int32_t>(batch.block_ids.size()));
        std::vector<const golden::Probe*> probes;
        for (const golden::Probe& probe : golden_case.probes) {
          if (probe.row < begin || probe.row >= end) continue;
          batch.logit_rows.push_back(probe.row - begin);
          probes.push_back(&probe);
        }
        model.ForwardStep(batch);
        for (std::size_t i = 0; i < probes.size(); ++i) {
          const std::span<const float> logits = model.logits(static_cast<std::int32_t>(i));
          double difference = 0.0;
          for (std::size_t j = 0; j < probes[i]->ids.size(); ++j) {
            const float logit = logits[static_cast<std::size_t>(probes[i]->ids[j])];
            difference =
                std::max(difference, std::fabs(static_cast<double>(logit) - static_cast<double>(probes[i]->logits[j])));
          }
          EXPECT_LT(difference, difference_max) << golden_case.name << " row " << probes[i]->row;
          largest = std::max(largest, difference);
        }
      }
    }
    return largest;
  }

  // The most likely token after the prompt and after each of the reference's tokens but the last.
  static std::vector<std::int32_t> ForcedChoices(DecoderModel& model, const golden::Case& golden_case) {
    constexpr std::int32_t kRows = 64;
    std::vector<std::int32_t> tokens = golden_case.prompt;
    tokens.insert(tokens.end(), golden_case.greedy.begin(), golden_case.greedy.end() - 1);
    const auto total = static_cast<std::int32_t>(tokens.size());
    const auto first_choice = static_cast<std::int32_t>(golden_case.prompt.size()) - 1;
    std::vector<std::int32_t> choices;
    for (std::int32_t begin = 0; begin < total; begin += kRows) {
      const std::int32_t end = std::min(begin + kRows, total);
      kvcache::StepBatch batch;
      batch.Clear();
      for (std::int32_t position = begin; position < end; ++position) {
        batch.token_ids.push_back(tokens[static_cast<std::size_t>(position)]);
        batch.positions.push_back(position);
        if (position >= first_choice) batch.logit_rows.push_back(position - begin);
      }
      for (std::uint32_t block = 0; block <= static_cast<std::uint32_t>(end) / 16; ++block) {
        batch.block_ids.push_back(block);
      }
      batch.row_begin.push_back(end - begin);
      batch.block_begin.push_back(static_cast<std::int32_t>(batch.block_ids.size()));
      model.ForwardStep(batch);
      for (std::int32_t i = 0; i < batch.samples(); ++i) {
        const std::span<const float> logits = model.logits(i);
        choices.push_back(static_cast<std::int32_t>(std::ranges::max_element(logits) - logits.begin()));
      }
    }
    return choices;
  }

  std::shared_ptr<const tensor::GgufFile> file_;
  std::vector<golden::Case> cases_;
};

TEST_F(LogitsGoldenTest, LogitsAreWithinTheBarOfTheReference) {
  for (kvcache::KvDtype dtype : {kvcache::KvDtype::kF32, kvcache::KvDtype::kF16}) {
    SCOPED_TRACE(dtype == kvcache::KvDtype::kF32 ? "KV cache in F32" : "KV cache in F16");
    auto model = Load({.threads = 2,
                       .blocks_total = 64,
                       .rows_max = 256,
                       .samples_max = 4,
                       .positions_max = 1024,
                       .kv_dtype = dtype});
    ASSERT_NE(model, nullptr);
    const double largest = LargestDifference(*model, /*chunk=*/256, kDifferenceMax);
    RecordProperty(dtype == kvcache::KvDtype::kF32 ? "difference_f32" : "difference_f16", std::to_string(largest));
    std::printf("largest difference of a logit, KV cache in %s: %.6f\n",
                dtype == kvcache::KvDtype::kF32 ? "F32" : "F16", largest);
  }
}

// What rounding activations to 8 bits may cost a logit, in nats of a distribution over 49,152 tokens; its perplexity is
// in docs/decisions/0003-int8-activations-in-exact-integers.md.
TEST_F(LogitsGoldenTest, WithInt8ActivationsLogitsStayNearTheReference) {
  constexpr double kInt8DifferenceMax = 3.0;
  auto model = Load({.threads = 2,
                     .blocks_total = 64,
                     .rows_max = 256,
                     .samples_max = 4,
                     .positions_max = 1024,
                     .activations = Activations::kInt8});
  ASSERT_NE(model, nullptr);
  std::printf("largest difference of a logit with int8 activations: %.3f\n",
              LargestDifference(*model, /*chunk=*/256, kInt8DifferenceMax));
}

// Goal: rounding activations and the KV cache to 8 bits, as the engine does by default, seldom changes a choice.
// Method: the reference's own tokens are read, so that one other choice is not followed by another text.
TEST_F(LogitsGoldenTest, WithInt8ActivationsAndQ8KvMostChoicesAreTheReferences) {
  constexpr double kSameMin = 0.95;
  auto model = Load({.threads = 2,
                     .blocks_total = 64,
                     .rows_max = 256,
                     .samples_max = 64,
                     .positions_max = 1024,
                     .kv_dtype = kvcache::KvDtype::kQ8,
                     .activations = Activations::kInt8});
  ASSERT_NE(model, nullptr);
  int same = 0, tokens = 0;
  for (const golden::Case& golden_case : cases_) {
    const std::vector<std::int32_t> chosen = ForcedChoices(*model, golden_case);
    ASSERT_EQ(chosen.size(), golden_case.greedy.size());
    for (std::size_t i = 0; i < chosen.size(); ++i) same += chosen[i] == golden_case.greedy[i] ? 1 : 0;
    tokens += static_cast<int>(chosen.size());
  }
  std::printf("choices as the reference's with int8 activations and KV cache in Q8: %d of %d\n", same, tokens);
  EXPECT_EQ(tokens, 20 * 64);
  EXPECT_GE(same, kSameMin * tokens);
}

// All 20 prompts at once, so that prefill chunks and decodes mix and sequences join and leave, as in service.
TEST_F(LogitsGoldenTest, TwentyPromptsInOneBatchGiveTheReferencesGreedyTokens) {
  constexpr std::int32_t kBlocks = 256;
  auto model = Load({.threads = 2, .blocks_total = kBlocks, .rows_max = 128, .samples_max = 32, .positions_max = 1024});
  ASSERT_NE(model, nullptr);
  auto scheduler = scheduler::Scheduler::Create({.blocks_total = kBlocks, .sequences_max = 20, .step_tokens_max = 128});
  ASSERT_TRUE(scheduler.ok()) << scheduler.status();
  SequenceDriver driver(*model, **scheduler, /*keep_logits=*/false);
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    driver.Start(i, cases_[i].prompt, static_cast<std::int32_t>(cases_[i].greedy.size()));
  }
  driver.RunAll();
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    ASSERT_EQ(cases_[i].greedy.size(), 64u);
    EXPECT_EQ(driver.outcome(i).tokens, cases_[i].greedy) << cases_[i].name;
  }
}

}  // namespace
}  // namespace model
