#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "libs/engine/make_engine.h"
#include "tests/libs/engine/result_collector.h"
#include "tests/libs/engine/tiny_chat_model.h"

namespace engine {
namespace {

EngineOptions OptionsFor(const std::string& path) {
  EngineOptions options;
  options.model_path = path;
  options.threads = 2;
  options.kv_blocks = 64;
  options.block_size = 4;
  options.sequences_max = 6;
  options.step_tokens_max = 24;
  return options;
}

// Unlike greedy answers of a random model, sampled ones differ from one another.
GenerationRequest AskSampled(std::string text, std::uint64_t seed) {
  GenerationRequest request = Ask(std::move(text), /*tokens_max=*/24);
  request.sampling.temperature = 1.0F;
  request.sampling.seed = seed;
  return request;
}

class LlmEngineTest : public testing::Test {
 protected:
  std::unique_ptr<Engine> Make(const EngineOptions& options) {
    auto engine = MakeEngine(options);
    EXPECT_TRUE(engine.ok()) << engine.status();
    return engine.ok() ? *std::move(engine) : nullptr;
  }

  ResultCollector results_;
};

TEST_F(LlmEngineTest, SameSeedGivesTheSameAnswerWhateverElseRuns) {
  const TemporaryFile file(TinyChatModel().Bytes());
  constexpr int kAnswers = 20;
  std::vector<std::string> alone;
  {
    EngineOptions options = OptionsFor(file.path());
    options.sequences_max = 1;
    auto engine = Make(options);
    ASSERT_NE(engine, nullptr);
    for (int i = 0; i < kAnswers; ++i) {
      ASSERT_TRUE(
          engine->Submit(AskSampled(std::string(static_cast<std::size_t>(1 + i * 5), 'q'), 7), results_.For(i)).ok());
      const auto result = results_.Wait(i);
      ASSERT_TRUE(result.ok()) << result.status();
      alone.push_back(result->text);
    }
  }
  EngineOptions options = OptionsFor(file.path());
  auto engine = Make(options);
  ASSERT_NE(engine, nullptr);
  for (int i = 0; i < kAnswers; ++i) {
    ASSERT_TRUE(
        engine->Submit(AskSampled(std::string(static_cast<std::size_t>(1 + i * 5), 'q'), 7), results_.For(100 + i))
            .ok());
  }
  for (int i = 0; i < kAnswers; ++i) EXPECT_EQ(results_.Wait(100 + i)->text, alone[static_cast<std::size_t>(i)]) << i;
  EXPECT_GT(engine->stats().preemptions_total, 0) << "the pool is meant to be too small for six at once";
}

TEST_F(LlmEngineTest, ResultsCountTokensAndTimes) {
  const TemporaryFile file(TinyChatModel().Bytes());
  auto engine = Make(OptionsFor(file.path()));
  ASSERT_NE(engine, nullptr);
  GenerationRequest request = Ask("hi", /*tokens_max=*/5);
  request.sampling = {.temperature = 1.0F, .seed = 3};
  ASSERT_TRUE(engine->Submit(request, results_.For(1)).ok());
  const auto result = results_.Wait(1);
  ASSERT_TRUE(result.ok()) << result.status();
  // <|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n, one token a byte and a control token
  EXPECT_EQ(result->prompt_tokens, 3 + 5 + 2 + 1 + 10);
  EXPECT_LE(result->completion_tokens, 5);
  EXPECT_GT(result->ttft, result->queue_time);
  EXPECT_EQ(engine->CountTokens("hi"), 2);
  EXPECT_EQ(engine->context_tokens_max(), 256);
  EXPECT_NE(engine->model_name().find("ResultsCountTokensAndTimes"), std::string::npos);
  EXPECT_EQ(engine->credit().blocks_free, 64);
}

TEST_F(LlmEngineTest, PromptBeyondTheContextIsRefusedWithTheNumbers) {
  const TemporaryFile file(TinyChatModel().Bytes());
  auto engine = Make(OptionsFor(file.path()));
  ASSERT_NE(engine, nullptr);
  const absl::Status status = engine->Submit(Ask(std::string(300, 'x')), results_.For(1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(status.message()).find("319 tokens"), std::string::npos) << status;
  EXPECT_NE(std::string(status.message()).find("256"), std::string::npos) << status;
}

// Goal: a sequence whose numbers are poisoned ends alone, with a permanent error; its neighbours and the engine go on.
// Method: the embedding of the byte 'Z' is NaN, so every prompt that holds one gets NaN logits.
TEST_F(LlmEngineTest, PoisonedSequenceEndsAloneAndNeighboursKeepTheirAnswers) {
  model::TinyLlama tiny = TinyChatModel();
  std::string bytes = tiny.Bytes();
  auto parsed = tensor::GgufFile::Parse(tensor::AsBytes(bytes));
  ASSERT_TRUE(parsed.ok());
  const tensor::Tensor* embedding = (*parsed)->FindTensor("token_embd.weight");
  const std::size_t row =
      static_cast<std::size_t>(reinterpret_cast<const char*>(embedding->data.data()) - bytes.data()) +
      'Z' * embedding->row_bytes;
  const TemporaryFile clean(bytes);
  for (std::size_t i = 0; i < embedding->row_bytes; i += 2) std::memcpy(bytes.data() + row + i, "\x00\x7e", 2);
  const TemporaryFile poisoned(bytes);

  auto clean_engine = Make(OptionsFor(clean.path()));
  auto engine = Make(OptionsFor(poisoned.path()));
  ASSERT_NE(clean_engine, nullptr);
  ASSERT_NE(engine, nullptr);
  for (int i = 0; i < 12; ++i) {
    const bool poison = i % 3 == 1;
    const GenerationRequest request = AskSampled(poison ? "a Z b" : "harmless " + std::to_string(i), 11);
    ASSERT_TRUE(engine->Submit(request, results_.For(i)).ok());
    ASSERT_TRUE(clean_engine->Submit(request, results_.For(100 + i)).ok());
  }
  for (int i = 0; i < 12; ++i) {
    if (i % 3 == 1) {
      EXPECT_EQ(results_.Wait(i).status().code(), absl::StatusCode::kDataLoss) << i;
    } else {
      const auto result = results_.Wait(i);
      ASSERT_TRUE(result.ok()) << result.status();
      // An answer that samples a 'Z' itself is poisoned from there on; the seed is chosen so that none does.
      EXPECT_EQ(result->text, results_.Wait(100 + i)->text) << i;
    }
  }
  EXPECT_EQ(engine->stats().sequences_failed_total, 4);
  EXPECT_EQ(engine->credit().blocks_free, 64);
  EXPECT_TRUE(engine->alive());
}

TEST_F(LlmEngineTest, MissingFileAndFolderAreToldWithThePath) {
  EngineOptions options = OptionsFor("/nonexistent/model.gguf");
  const absl::Status status = MakeEngine(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_NE(std::string(status.message()).find("/nonexistent/model.gguf"), std::string::npos) << status;
  options.model_path = std::filesystem::temp_directory_path().string();
  EXPECT_FALSE(MakeEngine(options).ok());
  options.model_path.clear();
  EXPECT_FALSE(MakeEngine(options).ok());
}

// Whatever bytes a model file holds, the engine says why it refuses them or serves; it never crashes or reads outside.
// Truncations at every place where a structure may end, and single altered bytes all over the header.
TEST_F(LlmEngineTest, TruncatedModelIsRefusedWithTheReason) {
  const std::string bytes = TinyChatModel().Bytes();
  std::mt19937 rng(5);
  for (int i = 0; i < 60; ++i) {
    const std::size_t size = i < 20 ? static_cast<std::size_t>(i) * 7 : rng() % bytes.size();
    const TemporaryFile file(bytes.substr(0, size));
    const absl::Status status = MakeEngine(OptionsFor(file.path())).status();
    EXPECT_FALSE(status.ok()) << "cut at " << size;
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << "cut at " << size << ": " << status;
    EXPECT_NE(std::string(status.message()).find(file.path()), std::string::npos) << status;
  }
}

TEST_F(LlmEngineTest, AlteredModelIsRefusedOrServesButNeverCrashes) {
  const std::string bytes = TinyChatModel().Bytes();
  const std::size_t header_end = bytes.find("ffn_down.weight", bytes.find("blk.1.ffn_up.weight")) + 48;
  std::mt19937 rng(6);
  int refused = 0;
  for (int i = 0; i < 200; ++i) {
    std::string altered = bytes;
    const std::size_t at = rng() % header_end;
    altered[at] = static_cast<char>(static_cast<unsigned char>(altered[at]) ^ (1U << rng() % 8));
    const TemporaryFile file(altered);
    auto engine = MakeEngine(OptionsFor(file.path()));
    if (!engine.ok()) {
      EXPECT_FALSE(engine.status().message().empty());
      ++refused;
      continue;
    }
    const auto id = (*engine)->Submit(Ask("hi", 3), results_.For(i));
    if (id.ok()) {
      static_cast<void>(results_.Wait(i));  // any answer, or any error, but an end
    }
  }
  EXPECT_GT(refused, 30) << "most of a header is load-bearing";
}

TEST_F(LlmEngineTest, TokenizerLargerThanTheEmbeddingIsRefused) {
  model::TinyLlama tiny = TinyChatModel();
  tiny.vocabulary = 200;  // the tokenizer still has 259
  const TemporaryFile file(tiny.Bytes());
  const absl::Status status = MakeEngine(OptionsFor(file.path())).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_NE(std::string(status.message()).find("259 tokens"), std::string::npos) << status;
}

}  // namespace
}  // namespace engine
