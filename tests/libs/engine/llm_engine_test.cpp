#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>

#include "libs/engine/make_engine.h"
#include "tests/libs/engine/result_collector.h"
#include "tests/libs/engine/temporary_file.h"
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

// Goal: a second turn that finds its first in the cache says what it says when all is computed afresh.
TEST_F(LlmEngineTest, SecondTurnStartsBehindTheFirstAndSaysTheSameAsAFreshComputation) {
  const TemporaryFile file(TinyChatModel().Bytes());
  EngineOptions options = OptionsFor(file.path());
  auto engine = Make(options);
  options.prefix_cache = false;
  auto fresh = Make(options);
  ASSERT_NE(engine, nullptr);
  ASSERT_NE(fresh, nullptr);
  GenerationRequest request = AskSampled("hello, this is a first turn", 5);
  request.tokens_max = 20;
  for (int turn = 0; turn < 3; ++turn) {
    ASSERT_TRUE(engine->Submit(request, results_.For(turn)).ok());
    ASSERT_TRUE(fresh->Submit(request, results_.For(100 + turn)).ok());
    const auto result = results_.Wait(turn), expected = results_.Wait(100 + turn);
    ASSERT_TRUE(result.ok() && expected.ok()) << result.status() << expected.status();
    EXPECT_EQ(result->text, expected->text) << "turn " << turn;
    EXPECT_EQ(expected->cached_tokens, 0);
    if (turn > 0) {
      EXPECT_GE(result->cached_tokens, 30) << "turn " << turn;
    }
    request.messages.push_back({Role::kAssistant, result->text});
    request.messages.push_back({Role::kUser, "and then?"});
  }
  EXPECT_GT(engine->stats().prefix_tokens_total, 60);
  EXPECT_EQ(fresh->stats().prefix_tokens_total, 0);
  GenerationRequest stranger = request;
  stranger.tenant = "another";
  ASSERT_TRUE(engine->Submit(stranger, results_.For(200)).ok());
  EXPECT_EQ(results_.Wait(200)->cached_tokens, 0) << "tenants never share";
}

// Goal: each branch says what a request of its own with that seed says. Method: prompts that end inside a block and at
// its end, beside other sequences, in a pool that makes branches lose their blocks.
TEST_F(LlmEngineTest, BranchesOfAForkSayWhatSeparateRequestsWithTheirSeedsSay) {
  const TemporaryFile file(TinyChatModel().Bytes());
  for (const std::int32_t kv_blocks : {64, 26}) {
    EngineOptions options = OptionsFor(file.path());
    options.kv_blocks = kv_blocks;
    auto engine = Make(options);
    ASSERT_NE(engine, nullptr);
    for (int i = 0; i < 8; ++i) {
      GenerationRequest request = AskSampled("fork" + std::string(static_cast<std::size_t>(i), '!'), 40);
      for (int branch = 0; branch < 4; ++branch) {
        request.sampling.seed = 40 + static_cast<std::uint64_t>(branch);
        ASSERT_TRUE(engine->Submit(request, results_.For(kv_blocks * 1000 + i * 10 + branch)).ok());
      }
      request.sampling.seed = 40;
      request.branches = 4;
      ASSERT_TRUE(engine->Submit(request, results_.For(kv_blocks * 1000 + i * 10 + 9)).ok());
    }
    for (int i = 0; i < 8; ++i) {
      const auto forked = results_.Wait(kv_blocks * 1000 + i * 10 + 9);
      ASSERT_TRUE(forked.ok()) << forked.status();
      ASSERT_EQ(forked->branches.size(), 4u);
      EXPECT_EQ(forked->text, forked->branches[0].text);
      std::int32_t tokens = 0;
      for (int branch = 0; branch < 4; ++branch) {
        const BranchResult& result = forked->branches[static_cast<std::size_t>(branch)];
        EXPECT_TRUE(result.status.ok()) << result.status;
        EXPECT_EQ(result.text, results_.Wait(kv_blocks * 1000 + i * 10 + branch)->text) << i << " " << branch;
        tokens += result.completion_tokens;
      }
      EXPECT_EQ(forked->completion_tokens, tokens);
    }
    EXPECT_EQ(engine->stats().forks_total, 8 * 3);
    EXPECT_EQ(engine->credit().blocks_free, kv_blocks);
  }
}

TEST_F(LlmEngineTest, ForkIsCancelledAsAWholeAndMoreBranchesThanRunAreRefused) {
  const TemporaryFile file(TinyChatModel().Bytes());
  auto engine = Make(OptionsFor(file.path()));
  ASSERT_NE(engine, nullptr);
  GenerationRequest request = AskSampled("many", 1);
  request.tokens_max = 200;
  request.ignore_end_of_turn = true;
  request.branches = 6;
  const auto id = engine->Submit(request, results_.For(1));
  ASSERT_TRUE(id.ok()) << id.status();
  engine->Cancel(*id);
  const auto result = results_.Wait(1);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->finish_reason, FinishReason::kCancelled);
  for (const BranchResult& branch : result->branches) EXPECT_EQ(branch.finish_reason, FinishReason::kCancelled);
  EXPECT_EQ(engine->credit().blocks_free, 64);
  EXPECT_EQ(engine->credit().sequences_free, 6 + 256);
  for (const std::int32_t branches : {-1, 0, 7, 17}) {
    request.branches = branches;
    const absl::Status status = engine->Submit(request, results_.For(2)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(status.message().find("branches"), 0u) << status;
  }
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

// Goal: a measurement gets as many tokens as it asked for. Method: seeds whose answers otherwise end early.
TEST_F(LlmEngineTest, EndOfTurnIsIgnoredWhereARequestSaysSo) {
  const TemporaryFile file(TinyChatModel().Bytes());
  auto engine = Make(OptionsFor(file.path()));
  ASSERT_NE(engine, nullptr);
  int ended_early = 0;
  for (int seed = 0; seed < 40; ++seed) {
    GenerationRequest request = AskSampled("hello", static_cast<std::uint64_t>(seed));
    ASSERT_TRUE(engine->Submit(request, results_.For(2 * seed)).ok());
    request.ignore_end_of_turn = true;
    ASSERT_TRUE(engine->Submit(request, results_.For(2 * seed + 1)).ok());
    ended_early += results_.Wait(2 * seed)->finish_reason == FinishReason::kEndOfTurn ? 1 : 0;
    EXPECT_EQ(results_.Wait(2 * seed + 1)->completion_tokens, 24);
    EXPECT_EQ(results_.Wait(2 * seed + 1)->finish_reason, FinishReason::kLength);
  }
  EXPECT_GT(ended_early, 0);
}

TEST_F(LlmEngineTest, UnknownActivationsAreRefusedByName) {
  const TemporaryFile file(TinyChatModel().Bytes());
  EngineOptions options = OptionsFor(file.path());
  options.activations = "int4";
  const absl::Status status = MakeEngine(options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_NE(std::string(status.message()).find("int8, f32"), std::string::npos) << status;
}

TEST_F(LlmEngineTest, ADevicesKvFormatIsRefusedOnTheCpu) {
  const TemporaryFile file(TinyChatModel().Bytes());
  for (const char* kv : {"bf16", "fp8", "", "q4"}) {
    EngineOptions options = OptionsFor(file.path());
    options.kv = kv;
    const absl::Status status = MakeEngine(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_NE(std::string(status.message()).find("auto, f16, q8"), std::string::npos) << status;
  }
}

// Rounding may change a token of a random model, never whether it answers.
TEST_F(LlmEngineTest, AnswersWithTheKvCacheInEightBits) {
  const TemporaryFile file(TinyChatModel().Bytes());
  int id = 0;
  for (const char* kv : {"auto", "f16", "q8"}) {
    EngineOptions options = OptionsFor(file.path());
    options.kv = kv;
    auto engine = Make(options);
    ASSERT_NE(engine, nullptr);
    ASSERT_TRUE(engine->Submit(Ask("hello"), results_.For(++id)).ok());
    const auto result = results_.Wait(id);
    EXPECT_TRUE(result.ok()) << result.status();
  }
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

TEST_F(LlmEngineTest, OptionsOutOfBoundsAreNamed) {
  const TemporaryFile file(TinyChatModel().Bytes());
  const auto message_with = [&](void (*spoil)(EngineOptions&)) {
    EngineOptions options = OptionsFor(file.path());
    spoil(options);
    const absl::Status status = MakeEngine(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  };
  EXPECT_TRUE(message_with([](EngineOptions& o) { o.threads = -1; }).starts_with("threads"));
  EXPECT_TRUE(message_with([](EngineOptions& o) { o.threads = 1000; }).starts_with("threads"));
  EXPECT_TRUE(message_with([](EngineOptions& o) { o.kv_blocks = -1; }).starts_with("kv_blocks"));
  EXPECT_TRUE(message_with([](EngineOptions& o) { o.block_size = 1 << 20; }).starts_with("block_size"));
  EXPECT_TRUE(message_with([](EngineOptions& o) { o.step_tokens_max = 1; }).starts_with("step_tokens_max"));
  EXPECT_TRUE(message_with([](EngineOptions& o) { o.context_tokens_max = 257; }).starts_with("context_tokens_max"));
  EXPECT_TRUE(message_with([](EngineOptions& o) { o.weights = "fp8"; }).starts_with("weights"))
      << "without effect here";
  EXPECT_TRUE(message_with([](EngineOptions& o) { o.tensor_parallel = 2; }).starts_with("tensor_parallel"));
  EXPECT_TRUE(message_with([](EngineOptions& o) { o.device_ordinal = 1; }).starts_with("device_ordinal"));
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
