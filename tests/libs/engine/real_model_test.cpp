// The engine on the real model, from a question to a text. Needs the model file: `make model` fetches it, or MESH_MODEL
// names it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "libs/engine/make_engine.h"
#include "tests/golden/logits/golden_cases.h"
#include "tests/libs/engine/result_collector.h"
#include "tests/libs/engine/temporary_file.h"
#include "tests/libs/engine/tiny_chat_model.h"

namespace engine {
namespace {

class RealModelTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = golden::ModelPath();
    ASSERT_TRUE(std::filesystem::exists(path_))
        << path_ << " is missing. This test needs the real model: run `make model`, or set MESH_MODEL.";
  }

  std::unique_ptr<Engine> Make(std::int32_t sequences_max, const std::string& activations = "int8") {
    EngineOptions options;
    options.model_path = path_;
    options.threads = 2;
    options.sequences_max = sequences_max;
    options.step_tokens_max = 64;
    options.activations = activations;
    auto engine = MakeEngine(options);
    EXPECT_TRUE(engine.ok()) << engine.status();
    return engine.ok() ? *std::move(engine) : nullptr;
  }

  std::string path_;
  ResultCollector results_;
};

TEST_F(RealModelTest, NamesTheCapitalOfJapan) {
  auto engine = Make(4);
  ASSERT_NE(engine, nullptr);
  ASSERT_TRUE(engine->Submit(Ask("What is the capital of Japan?", 32), results_.For(1)).ok());
  const auto result = results_.Wait(1);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->text, "The capital of Japan is Tokyo.");
  EXPECT_EQ(result->finish_reason, FinishReason::kEndOfTurn);
}

// The exact text: without rounding of activations, so that it is the model's own. (Its first word is a near tie between
// English and French.)
TEST_F(RealModelTest, NamesTheCapitalOfFrance) {
  auto engine = Make(4, "f32");
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(engine->model_name(), "SmolLM2-135M-Instruct.Q4_1");
  EXPECT_EQ(engine->context_tokens_max(), 8192);
  ASSERT_TRUE(engine->Submit(Ask("What is the capital of France?", 32), results_.For(1)).ok());
  const auto result = results_.Wait(1);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->text, "The capital of France is Paris.");
  EXPECT_EQ(result->finish_reason, FinishReason::kEndOfTurn);
  EXPECT_EQ(result->prompt_tokens, 37);
  EXPECT_EQ(result->completion_tokens, 7);
}

// Sequences of several lengths, sampled and greedy, that join and leave at different steps.
TEST_F(RealModelTest, BatchOfMixedSequencesGivesEachTheSameAnswerAsAlone) {
  std::vector<GenerationRequest> requests;
  for (const char* text : {"Write a haiku about the sea.", "List three colours.", "What is 17 + 25?",
                           "Tell me about Kafka.", "Wie geht es dir?", "Name a fruit."}) {
    GenerationRequest request = Ask(text, 8 + 8 * static_cast<std::int32_t>(requests.size() % 4));
    if (requests.size() % 2 == 1) {
      request.sampling = {.temperature = 0.8F,
                          .top_k = 40,
                          .top_p = 0.95F,
                          .min_p = 0.05F,
                          .repetition_penalty = 1.1F,
                          .seed = 1000 + requests.size()};
    }
    if (requests.size() == 3) request.messages.insert(request.messages.begin(), {Role::kSystem, std::string(600, 'k')});
    requests.push_back(std::move(request));
  }
  const int count = static_cast<int>(requests.size());
  {
    auto alone = Make(1);
    ASSERT_NE(alone, nullptr);
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(alone->Submit(requests[static_cast<std::size_t>(i)], results_.For(i)).ok());
      ASSERT_TRUE(results_.Wait(i).ok());
    }
  }
  auto together = Make(4);
  ASSERT_NE(together, nullptr);
  for (int i = 0; i < count; ++i) {
    ASSERT_TRUE(together->Submit(requests[static_cast<std::size_t>(i)], results_.For(100 + i)).ok());
  }
  for (int i = 0; i < count; ++i) {
    const auto result = results_.Wait(100 + i);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->text, results_.Wait(i)->text) << i;
    EXPECT_EQ(result->completion_tokens, results_.Wait(i)->completion_tokens) << i;
  }
}

TEST_F(RealModelTest, StopStringEndsTheAnswerBeforeIt) {
  auto engine = Make(4, "f32");
  ASSERT_NE(engine, nullptr);
  GenerationRequest request = Ask("What is the capital of France?", 32);
  request.stop = {" is Par"};
  ASSERT_TRUE(engine->Submit(request, results_.For(1)).ok());
  EXPECT_EQ(results_.Wait(1)->text, "The capital of France");
  EXPECT_EQ(results_.Wait(1)->finish_reason, FinishReason::kStopString);
}

TEST_F(RealModelTest, TruncatedDownloadIsRefusedWithTheReason) {
  std::ifstream in(path_, std::ios::binary);
  std::string bytes(40 << 20, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const TemporaryFile file(bytes);
  EngineOptions options;
  options.model_path = file.path();
  const absl::Status status = MakeEngine(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
}

}  // namespace
}  // namespace engine
