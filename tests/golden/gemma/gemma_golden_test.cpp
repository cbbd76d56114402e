// Gemma 3 270M against llama.cpp: tokens of a prompt, the logits behind it and the tokens that greedy choice adds.
// generate.py beside this file says how golden.tsv was made. Skipped where the model file is not: `make model-gemma`.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/model/decoder_model.h"
#include "libs/tensor/gguf.h"
#include "libs/tokenizer/tokenizer.h"
#include "tests/golden/escaped_text.h"
#include "tests/golden/model_path.h"

namespace model {
namespace {

using Ids = std::vector<std::int32_t>;

struct Case {
  std::string prompt;
  Ids ids;
  Ids greedy;
  Ids best;                   // of the ten highest logits
  std::vector<float> logits;  // theirs
};

Ids ReadIds(std::string_view text) {
  Ids ids;
  for (const std::string_view id : golden::Split(text, ' ')) ids.push_back(golden::Number<std::int32_t>(id, 10));
  return ids;
}

std::vector<Case> ReadCases() {
  std::ifstream file(golden::SourcePath("tests/golden/gemma/golden.tsv"), std::ios::binary);
  std::vector<Case> cases;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string_view> fields = golden::Split(line, '\t');
    Case& added = cases.emplace_back();
    added.prompt = golden::Unescaped(fields.at(0));
    added.ids = ReadIds(fields.at(1));
    added.greedy = ReadIds(fields.at(2));
    for (const std::string_view pair : golden::Split(fields.at(3), ' ')) {
      const std::vector<std::string_view> halves = golden::Split(pair, ':');
      added.best.push_back(golden::Number<std::int32_t>(halves.at(0), 10));
      added.logits.push_back(std::stof(std::string(halves.at(1))));
    }
  }
  return cases;
}

class GemmaGoldenTest : public testing::Test {
 protected:
  static constexpr std::int32_t kRowsMax = 256;

  void SetUp() override {
    const std::string path = golden::GemmaPath();
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << golden::kGemmaHint;
    auto file = tensor::GgufFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *std::move(file);
    cases_ = ReadCases();
    ASSERT_EQ(cases_.size(), 9u);
  }

  std::unique_ptr<DecoderModel> Load(Activations activations) {
    auto model = DecoderModel::Load(file_, {.threads = 2,
                                            .blocks_total = 64,
                                            .rows_max = kRowsMax,
                                            .samples_max = 1,
                                            .positions_max = 1024,
                                            .activations = activations});
    EXPECT_TRUE(model.ok()) << model.status();
    return model.ok() ? *std::move(model) : nullptr;
  }

  // Runs `tokens` from position `begin` on; the logits behind the last.
  static std::span<const float> Forward(DecoderModel& model, const Ids& tokens, std::size_t begin) {
    while (true) {
      const std::size_t end = std::min(tokens.size(), begin + kRowsMax);
      kvcache::StepBatch batch;
      batch.Clear();
      for (std::size_t position = begin; position < end; ++position) {
        batch.token_ids.push_back(tokens[position]);
        batch.positions.push_back(static_cast<std::int32_t>(position));
      }
      for (std::uint32_t block = 0; block <= end / 16; ++block) batch.block_ids.push_back(block);
      batch.row_begin.push_back(static_cast<std::int32_t>(end - begin));
      batch.block_begin.push_back(static_cast<std::int32_t>(batch.block_ids.size()));
      if (end == tokens.size()) batch.logit_rows.push_back(static_cast<std::int32_t>(end - begin) - 1);
      model.ForwardStep(batch);
      if (end == tokens.size()) return model.logits(0);
      begin = end;
    }
  }

  // Compares every case: the ten highest logits, and greedy tokens as far as the choice is clear.
  void CompareAll(Activations activations, double difference_max, int equal_percent_min) {
    const std::unique_ptr<DecoderModel> model = Load(activations);
    ASSERT_NE(model, nullptr);
    double largest = 0.0;
    int equal = 0;
    int chosen = 0;
    for (const Case& golden_case : cases_) {
      Ids tokens = golden_case.ids;
      std::span<const float> logits = Forward(*model, tokens, 0);
      for (std::size_t i = 0; i < golden_case.best.size(); ++i) {
        const double difference =
            std::fabs(logits[static_cast<std::size_t>(golden_case.best[i])] - golden_case.logits[i]);
        EXPECT_LT(difference, difference_max) << golden_case.prompt.substr(0, 60) << ", token " << golden_case.best[i];
        largest = std::max(largest, difference);
      }
      // The reference's tokens are forced, so that one doubtful choice does not end the comparison.
      for (const std::int32_t expected : golden_case.greedy) {
        const auto best = std::max_element(logits.begin(), logits.end());
        const auto token = static_cast<std::int32_t>(best - logits.begin());
        ++chosen;
        equal += token == expected ? 1 : 0;
        EXPECT_LT(*best - logits[static_cast<std::size_t>(expected)], difference_max)
            << golden_case.prompt.substr(0, 60) << ", token " << expected << " against " << token;
        tokens.push_back(expected);
        logits = Forward(*model, tokens, tokens.size() - 1);
      }
    }
    std::printf("largest difference of a logit: %.3f; greedy tokens equal: %d of %d\n", largest, equal, chosen);
    EXPECT_GE(equal * 100, chosen * equal_percent_min);
  }

  std::shared_ptr<const tensor::GgufFile> file_;
  std::vector<Case> cases_;
};

TEST_F(GemmaGoldenTest, PromptsHaveTheTokensOfTheReference) {
  const auto tokenizer = tokenizer::Tokenizer::Load(*file_);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  for (const Case& golden_case : cases_) {
    Ids ids = {*(*tokenizer)->bos()};
    (*tokenizer)->EncodeAppend(golden_case.prompt, ids);
    EXPECT_EQ(ids, golden_case.ids) << golden_case.prompt;
  }
}

TEST_F(GemmaGoldenTest, LogitsAndGreedyTokensAreThoseOfTheReference) {
  CompareAll(Activations::kF32, /*difference_max=*/1.0, /*equal_percent_min=*/95);
}

TEST_F(GemmaGoldenTest, WithInt8ActivationsTheyStayNear) {
  CompareAll(Activations::kInt8, /*difference_max=*/2.0, /*equal_percent_min=*/90);
}

}  // namespace
}  // namespace model
