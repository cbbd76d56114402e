#include "libs/model/gpu/llama_gpu_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "libs/sampler/sampler.h"
#include "tests/libs/model/gpu/gpu_model_fixture.h"
#include "tests/libs/model/plain_forward.h"

namespace model {
namespace {

// Bounds of the relative deviation of logits, about twice what was seen. BF16 rounds to 8 bits, FP8 to 4.
constexpr double kBf16Deviation = 0.02, kFp8Deviation = 0.3;

// Goal: prefill, chunks after other chunks and decodes all give what the pass on paper gives for the tokens so far.
// Method: each format of the file, kept or widened or cut, against the plain pass in double, token by token.
TEST_F(GpuModelTest, LogitsFollowThePlainForwardPassInEveryFormat) {
  struct Case {
    tensor::DType dtype;
    GpuWeightsFormat weights;
    GpuKvFormat kv;
    double deviation;
  };
  const Case cases[] = {
      {tensor::DType::kF32, GpuWeightsFormat::kFile, GpuKvFormat::kBf16, kBf16Deviation},
      {tensor::DType::kF16, GpuWeightsFormat::kBf16, GpuKvFormat::kBf16, kBf16Deviation},
      {tensor::DType::kBF16, GpuWeightsFormat::kFile, GpuKvFormat::kBf16, kBf16Deviation},
      {tensor::DType::kQ8_0, GpuWeightsFormat::kFile, GpuKvFormat::kBf16, kBf16Deviation},
      {tensor::DType::kQ4_0, GpuWeightsFormat::kFile, GpuKvFormat::kBf16, kBf16Deviation},
      {tensor::DType::kQ4_1, GpuWeightsFormat::kFile, GpuKvFormat::kBf16, kBf16Deviation},
      {tensor::DType::kQ4_1, GpuWeightsFormat::kBf16, GpuKvFormat::kBf16, kBf16Deviation},
      {tensor::DType::kQ4_K, GpuWeightsFormat::kFile, GpuKvFormat::kBf16, kBf16Deviation},
      {tensor::DType::kQ6_K, GpuWeightsFormat::kFile, GpuKvFormat::kBf16, kBf16Deviation},
      {tensor::DType::kBF16, GpuWeightsFormat::kFile, GpuKvFormat::kFp8, kFp8Deviation},
      {tensor::DType::kF16, GpuWeightsFormat::kFp8, GpuKvFormat::kBf16, kFp8Deviation},
      {tensor::DType::kQ8_0, GpuWeightsFormat::kFp8, GpuKvFormat::kFp8, kFp8Deviation},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(testing::Message() << tensor::DTypeName(test.dtype) << ", weights " << static_cast<int>(test.weights)
                                    << ", kv " << static_cast<int>(test.kv));
    TinyLlama tiny = Tiny();
    tiny.dtype = test.dtype;
    if (tensor::LayoutOf(test.dtype).values == 256) {  // whole blocks in every row
      tiny.width = tiny.ffn_width = 256;
      tiny.heads = 4;
    }
    tiny.tied = test.dtype != tensor::DType::kQ8_0;
    GpuModelOptions options = SmallOptions();
    options.weights = test.weights;
    options.kv = test.kv;
    auto model = Load(tiny, options);
    ASSERT_NE(model, nullptr);
    const auto file = ParseTiny(tiny);
    const PlainForward plain(*file, model->config());
    auto scheduler = MakeScheduler(24, 1, 30);
    GpuSequenceDriver driver(*model, *scheduler, 1, /*keep_logits=*/true);
    std::mt19937 rng(3);
    std::vector<std::int32_t> tokens = RandomTokens(rng, 37);  // a chunk of 30 and one of 7
    driver.Start(1, tokens, 4);
    driver.RunAll();
    for (std::size_t i = 0; i < 4; ++i) {
      const auto& logits = driver.outcome(1).logits[i];
      EXPECT_LT(Deviation(logits, plain.Logits(tokens)), test.deviation) << "token " << i;
      const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
      EXPECT_EQ(driver.outcome(1).tokens[i], best);
      tokens.push_back(driver.outcome(1).tokens[i]);
    }
  }
}

// More rows than the few-row kernels take, so that FP8 weights meet FP8 inputs.
TEST_F(GpuModelTest, PromptOfManyRowsFollowsThePlainForwardPass) {
  for (GpuWeightsFormat weights : {GpuWeightsFormat::kBf16, GpuWeightsFormat::kFp8}) {
    TinyLlama tiny = Tiny();
    tiny.dtype = tensor::DType::kF16;
    GpuModelOptions options = SmallOptions();
    options.weights = weights;
    auto model = Load(tiny, options);
    ASSERT_NE(model, nullptr);
    const auto file = ParseTiny(tiny);
    auto scheduler = MakeScheduler(24, 1, 96);
    GpuSequenceDriver driver(*model, *scheduler, 1, /*keep_logits=*/true);
    std::mt19937 rng(4);
    const std::vector<std::int32_t> tokens = RandomTokens(rng, 90);
    driver.Start(1, tokens, 1);
    driver.RunAll();
    EXPECT_LT(Deviation(driver.outcome(1).logits[0], PlainForward(*file, model->config()).Logits(tokens)),
              weights == GpuWeightsFormat::kFp8 ? kFp8Deviation : kBf16Deviation);
  }
}

// Llama 3.1 and 3.2 divide the angle of each pair by a number of its own.
TEST_F(GpuModelTest, DividedRotaryAnglesFollowThePlainForwardPass) {
  TinyLlama tiny = Tiny();
  const std::uint64_t pairs = tiny.width / tiny.heads / 2;
  tiny.edit_tensors = [=](std::vector<TinyLlama::Entry>& entries) {
    entries.push_back({"rope_freqs.weight", {pairs}, tensor::DType::kF32});
  };
  auto model = Load(tiny, SmallOptions());
  ASSERT_NE(model, nullptr);
  const auto file = ParseTiny(tiny);
  const PlainForward plain(*file, model->config());
  const auto undivided_file = ParseTiny(Tiny());  // the same weights
  const PlainForward undivided(*undivided_file, model->config());
  auto scheduler = MakeScheduler(24, 1, 30);
  GpuSequenceDriver driver(*model, *scheduler, 1, /*keep_logits=*/true);
  std::mt19937 rng(9);
  std::vector<std::int32_t> tokens = RandomTokens(rng, 50);
  driver.Start(1, tokens, 3);
  driver.RunAll();
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_LT(Deviation(driver.outcome(1).logits[i], plain.Logits(tokens)), kBf16Deviation) << "token " << i;
    EXPECT_GT(Deviation(driver.outcome(1).logits[i], undivided.Logits(tokens)), 2 * kBf16Deviation) << "token " << i;
    tokens.push_back(driver.outcome(1).tokens[i]);
  }
}

// Goal: sequences do not disturb one another, whatever the chunking, who joins or leaves, and whether they were
// preempted. Method: random traffic with a pool too small for it; each answer is then judged by the plain pass along
// its own tokens.
TEST_F(GpuModelTest, MixedBatchesFollowThePlainForwardPassForEachSequence) {
  TinyLlama tiny = Tiny();
  tiny.layers = 1;
  auto model = Load(tiny, SmallOptions());
  ASSERT_NE(model, nullptr);
  const auto file = ParseTiny(tiny);
  const PlainForward plain(*file, model->config());
  auto scheduler = MakeScheduler(/*blocks=*/3, /*sequences=*/5, /*step_tokens=*/24);
  GpuSequenceDriver driver(*model, *scheduler, 1, /*keep_logits=*/true);
  std::mt19937 rng(5);
  std::vector<std::vector<std::int32_t>> prompts;
  for (std::uint64_t id = 0; id < 5; ++id) {
    prompts.push_back(RandomTokens(rng, 10 + rng() % 6));
    driver.Start(id, prompts.back(), 14 + static_cast<std::int32_t>(rng() % 6));
    for (auto steps = rng() % 3; steps > 0; --steps) driver.Step();
  }
  driver.RunAll();
  EXPECT_GT(scheduler->counts().preemptions_total, 0) << "the test is meant to preempt";
  for (std::uint64_t id = 0; id < prompts.size(); ++id) {
    std::vector<std::int32_t> tokens = prompts[id];
    for (std::size_t i = 0; i < driver.outcome(id).tokens.size(); ++i) {
      EXPECT_LT(Deviation(driver.outcome(id).logits[i], plain.Logits(tokens)), kBf16Deviation) << id << " token " << i;
      tokens.push_back(driver.outcome(id).tokens[i]);
    }
  }
}

// What a row gives depends on its sequence and on the bucket of rows: three sequences run in the bucket of four.
TEST_F(GpuModelTest, NeighboursInOneBucketDoNotChangeABit) {
  auto model = Load(Tiny(), SmallOptions());
  ASSERT_NE(model, nullptr);
  std::mt19937 rng(6);
  const std::vector<std::int32_t> prompt = RandomTokens(rng, 20);
  std::vector<GpuSequenceDriver::Outcome> outcomes;
  for (std::uint64_t neighbours : {2, 3}) {
    auto scheduler = MakeScheduler(24, 8, 96);
    GpuSequenceDriver driver(*model, *scheduler, 1, /*keep_logits=*/true);
    driver.Start(0, prompt, 6);
    driver.Step();  // alone: prefill of the same rows
    for (std::uint64_t id = 1; id <= neighbours; ++id) driver.Start(id, RandomTokens(rng, 1), 9);
    driver.RunAll();
    outcomes.push_back(driver.outcome(0));
  }
  EXPECT_EQ(outcomes[0].tokens, outcomes[1].tokens);
  for (std::size_t i = 0; i < outcomes[0].logits.size(); ++i) {
    const auto &a = outcomes[0].logits[i], &b = outcomes[1].logits[i];
    EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0) << "token " << i;
  }
}

// Captured or not, one step in flight or two, many graphs or few: the same launches, so the same tokens.
TEST_F(GpuModelTest, GraphsAndStepsInFlightDoNotChangeAToken) {
  std::vector<std::vector<std::int32_t>> first;
  struct Way {
    std::int32_t graphs_max;
    std::size_t steps_in_flight;
  };
  for (const Way& way : {Way{0, 1}, Way{64, 1}, Way{64, 2}, Way{2, 2}}) {
    SCOPED_TRACE(testing::Message() << way.graphs_max << " graphs, " << way.steps_in_flight << " steps in flight");
    GpuModelOptions options = SmallOptions();
    options.graphs_max = way.graphs_max;
    auto model = Load(Tiny(), options);
    ASSERT_NE(model, nullptr);
    auto scheduler = MakeScheduler(24, 8, 96);
    GpuSequenceDriver driver(*model, *scheduler, way.steps_in_flight, /*keep_logits=*/false);
    std::mt19937 rng(7);
    constexpr std::uint64_t kSequences = 4;  // they leave one after another, at lengths that no step in flight blurs
    for (std::uint64_t id = 0; id < kSequences; ++id) {
      driver.Start(id, RandomTokens(rng, 5 + id), 4 + 5 * static_cast<std::int32_t>(id),
                   {.temperature = 1.0F, .seed = 40 + id});
    }
    driver.RunAll();
    std::vector<std::vector<std::int32_t>> tokens;
    for (std::uint64_t id = 0; id < kSequences; ++id) tokens.push_back(driver.outcome(id).tokens);
    if (first.empty()) first = tokens;
    EXPECT_EQ(tokens, first);
    EXPECT_LE(model->graphs(), static_cast<std::size_t>(way.graphs_max));
    if (way.graphs_max == 64) {
      EXPECT_GT(model->graphs(), 2U);
    }
  }
}

// The device draws with the host's random numbers, remembers what a penalty must know, and adds each pick before the
// host sees it. Method: the host's sampler over logits that the device gave without any penalty, along the same tokens.
TEST_F(GpuModelTest, PicksAreTheHostSamplersWithPenaltyAndSeed) {
  auto model = Load(Tiny(), SmallOptions());
  ASSERT_NE(model, nullptr);
  std::mt19937 rng(8);
  const std::vector<std::int32_t> prompt = RandomTokens(rng, 12);
  const StepSample ways[] = {
      {.repetition_penalty = 1.8F},
      {.temperature = 0.9F, .top_k = 20, .top_p = 0.9F, .min_p = 0.02F, .repetition_penalty = 1.3F, .seed = 99},
      {.temperature = 1.2F, .seed = 5},
  };
  for (const StepSample& way : ways) {
    SCOPED_TRACE(testing::Message() << "temperature " << way.temperature << ", penalty " << way.repetition_penalty);
    StepSample sample = way;
    std::vector<std::uint32_t> seen(model->seen_words());
    for (std::int32_t token : prompt) seen[static_cast<std::size_t>(token) / 32] |= 1U << token % 32;
    if (way.repetition_penalty != 1.0F) {
      sample.seen_slot = 3;
      sample.seen = seen;
    }
    auto scheduler = MakeScheduler(24, 1, 96);
    GpuSequenceDriver driver(*model, *scheduler, /*steps_in_flight=*/2, /*keep_logits=*/false);
    driver.Start(1, prompt, 8, sample);
    driver.RunAll();
    const std::vector<std::int32_t>& picks = driver.outcome(1).tokens;

    sampler::Sampler sampler({.temperature = way.temperature,
                              .top_k = way.top_k,
                              .top_p = way.top_p,
                              .min_p = way.min_p,
                              .repetition_penalty = way.repetition_penalty,
                              .seed = way.seed},
                             prompt, 83);
    sampler::SamplerScratch scratch;
    // The same steps once more, so that logits have the same bits, but none changed by a penalty.
    auto own_scheduler = MakeScheduler(24, 1, 96);
    GpuSequenceDriver plain(*model, *own_scheduler, 1, /*keep_logits=*/true);
    plain.Start(1, prompt, 8, {}, picks);
    plain.RunAll();
    for (std::size_t i = 0; i < picks.size(); ++i) {
      EXPECT_EQ(picks[i], *sampler.Sample(plain.outcome(1).logits[i], scratch)) << "token " << i;
    }
  }
}

TEST_F(GpuModelTest, TokensBeyondThoseThatMayBePickedAreNever) {
  GpuModelOptions options = SmallOptions();
  options.tokens_total = 3;
  auto model = Load(Tiny(), options);
  ASSERT_NE(model, nullptr);
  auto scheduler = MakeScheduler(24, 1, 96);
  GpuSequenceDriver driver(*model, *scheduler, 2, /*keep_logits=*/false);
  driver.Start(1, {80, 81, 82}, 10, {.temperature = 5.0F});
  driver.RunAll();
  for (std::int32_t token : driver.outcome(1).tokens) EXPECT_LT(token, 3);
}

TEST_F(GpuModelTest, RandomWeightsGiveFiniteLogits) {
  const DecoderConfig config{.layers = 2,
                             .width = 128,
                             .heads = 2,
                             .kv_heads = 1,
                             .head_dim = 64,
                             .ffn_width = 96,
                             .vocabulary = 88,
                             .context_tokens = 128,
                             .rms_epsilon = 1e-5F};
  for (GpuWeightsFormat weights : {GpuWeightsFormat::kBf16, GpuWeightsFormat::kFp8}) {
    GpuModelOptions options = SmallOptions();
    options.weights = weights;
    auto model = LlamaGpuModel::Random(config, options, /*seed=*/1);
    ASSERT_TRUE(model.ok()) << model.status();
    auto scheduler = MakeScheduler(24, 1, 96);
    GpuSequenceDriver driver(**model, *scheduler, 1, /*keep_logits=*/true);
    driver.Start(1, {1, 2, 3}, 3);
    driver.RunAll();
    for (const auto& logits : driver.outcome(1).logits) {
      for (float logit : logits) EXPECT_TRUE(std::isfinite(logit) && std::abs(logit) < 100.0F);
    }
  }
}

}  // namespace
}  // namespace model
