// The engine on Gemma 3 270M: another architecture, a SentencePiece vocabulary, and no chat template. Skipped where the
// model file is not: `make model-gemma`.
#include <gtest/gtest.h>

#include <filesystem>

#include "libs/engine/make_engine.h"
#include "tests/golden/model_path.h"
#include "tests/libs/engine/result_collector.h"

namespace engine {
namespace {

class GemmaModelTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = golden::GemmaPath();
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << golden::kGemmaHint;
    EngineOptions options;
    options.model_path = path;
    options.threads = 2;
    options.sequences_max = 4;
    options.step_tokens_max = 64;
    auto engine = MakeEngine(options);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

  GenerationResult Answer(GenerationRequest request) {
    static int key = 0;
    EXPECT_TRUE(engine_->Submit(std::move(request), results_.For(++key)).ok());
    auto result = results_.Wait(key);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : GenerationResult();
  }

  ResultCollector results_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(GemmaModelTest, NamesTheCapitalOfFrance) {
  const GenerationResult result = Answer(Ask("What is the capital of France?", 32));
  EXPECT_NE(result.text.find("Paris"), std::string::npos) << result.text;
  EXPECT_NE(result.text.front(), ' ') << "the space of the transcript is not part of the answer";
  // The next turn that the model writes for its user ends the answer and is not part of it.
  EXPECT_EQ(result.text.find("User:"), std::string::npos) << result.text;
  EXPECT_EQ(result.finish_reason, FinishReason::kStopString);
  EXPECT_EQ(result.prompt_tokens, 13);  // bos, once, and the transcript
}

// The same question as above, whose answer a next turn of the transcript ends early.
TEST_F(GemmaModelTest, MeasurementGetsAllItsTokensThoughTheTranscriptGoesOn) {
  GenerationRequest request = Ask("What is the capital of France?", 32);
  request.ignore_end_of_turn = true;
  const GenerationResult result = Answer(request);
  EXPECT_EQ(result.completion_tokens, 32);
  EXPECT_EQ(result.finish_reason, FinishReason::kLength);
}

TEST_F(GemmaModelTest, KnowsWhatWasSaidBefore) {
  GenerationRequest request = Ask("What is my name?", 24);
  request.messages = {{Role::kSystem, "A friendly conversation."},
                      {Role::kUser, "Hello, my name is Valentina."},
                      {Role::kAssistant, "Hello Valentina, nice to meet you."},
                      {Role::kUser, "What is my name?"}};
  const GenerationResult result = Answer(request);
  EXPECT_NE(result.text.find("Valentina"), std::string::npos) << result.text;
}

}  // namespace
}  // namespace engine
