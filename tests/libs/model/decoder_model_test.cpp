#include "libs/model/decoder_model.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <tuple>

#include "libs/base/check.h"
#include "tests/libs/model/plain_forward.h"
#include "tests/libs/model/sequence_driver.h"
#include "tests/libs/model/tiny_llama.h"

namespace model {
namespace {

std::vector<std::int32_t> RandomTokens(std::mt19937& rng, std::size_t count, std::uint32_t vocabulary) {
  std::vector<std::int32_t> tokens(count);
  for (std::int32_t& token : tokens) token = static_cast<std::int32_t>(rng() % vocabulary);
  return tokens;
}

std::unique_ptr<DecoderModel> Load(const std::shared_ptr<const tensor::GgufFile>& file, const DecoderOptions& options) {
  auto model = DecoderModel::Load(file, options);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

DecoderOptions SmallOptions() {
  return {.threads = 2,
          .blocks_total = 40,
          .block_size = 4,
          .rows_max = 24,
          .samples_max = 8,
          .positions_max = 160,
          .activations = Activations::kF32};
}

// Logits after the last of `tokens`.
std::vector<float> LastLogits(DecoderModel& model, const std::vector<std::int32_t>& tokens) {
  auto scheduler =
      scheduler::Scheduler::Create({.blocks_total = 40, .block_size = 4, .sequences_max = 8, .step_tokens_max = 24});
  SequenceDriver driver(model, **scheduler, /*keep_logits=*/true);
  driver.Start(1, tokens, 1);
  driver.RunAll();
  return driver.outcome(1).logits[0];
}

// Goal: with int8 activations every target says what the plain reference kernels say with the same rounding.
// Method: 20 random prompts, 16 greedy tokens of each. Other last bits of a norm can round an input to the next of its
// 255 steps, which moves a logit by less than the tolerance; a token may differ only where the reference's two best are
// that close, and what follows it is another text; most do not.
TEST(DecoderModelTest, Int8GreedyTokensAreTheReferenceKernelsOnTwentyPrompts) {
  constexpr float kTolerance = 0.06F;
  constexpr std::uint64_t kPrompts = 20;
  for (tensor::DType dtype : {tensor::DType::kQ4_1, tensor::DType::kQ8_0, tensor::DType::kQ5_1, tensor::DType::kF16}) {
    const auto file = ParseTiny({.dtype = dtype});
    ASSERT_NE(file, nullptr);
    const auto run = [&](const kernels::CpuKernels* kernels) {
      DecoderOptions options = SmallOptions();
      options.activations = Activations::kInt8;
      options.kernels = kernels;
      options.blocks_total = 160;
      const auto model = Load(file, options);
      auto scheduler = scheduler::Scheduler::Create(
          {.blocks_total = 160, .block_size = 4, .sequences_max = 8, .step_tokens_max = 24});
      SequenceDriver driver(*model, **scheduler, /*keep_logits=*/true);
      std::mt19937 rng(5);
      for (std::uint64_t i = 0; i < kPrompts; ++i) driver.Start(i, RandomTokens(rng, 3 + i, 83), 16);
      driver.RunAll();
      std::vector<SequenceDriver::Outcome> outcomes;
      for (std::uint64_t i = 0; i < kPrompts; ++i) outcomes.push_back(driver.outcome(i));
      return outcomes;
    };
    const auto expected = run(kernels::CpuKernelsFor(kernels::CpuTarget::kReference));
    int same = 0, tokens = 0;
    for (kernels::CpuTarget target : kernels::kCpuTargets) {
      const kernels::CpuKernels* kernels = kernels::CpuKernelsFor(target);
      if (kernels == nullptr) continue;
      const auto actual = run(kernels);
      for (std::size_t i = 0; i < kPrompts; ++i) {
        SCOPED_TRACE(testing::Message() << tensor::DTypeName(dtype) << " on " << kernels->name << ", prompt " << i);
        for (std::size_t t = 0; t < expected[i].tokens.size(); ++t) {
          const std::vector<float>&want = expected[i].logits[t], &have = actual[i].logits[t];
          for (std::size_t j = 0; j < want.size(); ++j) ASSERT_NEAR(have[j], want[j], kTolerance);
          const auto best = static_cast<std::size_t>(expected[i].tokens[t]);
          const auto chosen = static_cast<std::size_t>(actual[i].tokens[t]);
          ASSERT_LT(want[best] - want[chosen], 2 * kTolerance);
          if (best != chosen) break;
          ++same;
        }
        tokens += static_cast<int>(expected[i].tokens.size());
      }
    }
    EXPECT_GE(same, 0.95 * tokens) << tensor::DTypeName(dtype);
  }
}

TEST(DecoderModelTest, EqualsThePlainForwardPassInEveryFormatAndOnEveryTarget) {
  for (tensor::DType dtype : {tensor::DType::kF32, tensor::DType::kF16, tensor::DType::kBF16, tensor::DType::kQ8_0,
                              tensor::DType::kQ4_0, tensor::DType::kQ4_1, tensor::DType::kQ5_0, tensor::DType::kQ5_1,
                              tensor::DType::kQ4_K, tensor::DType::kQ5_K, tensor::DType::kQ6_K}) {
    TinyLlama tiny{.dtype = dtype, .tied = dtype != tensor::DType::kQ8_0};
    if (tensor::LayoutOf(dtype).values == 256) tiny.width = tiny.ffn_width = 256;  // rows are whole super-blocks
    const auto file = ParseTiny(tiny);
    ASSERT_NE(file, nullptr);
    std::mt19937 rng(3);
    const std::vector<std::int32_t> tokens = RandomTokens(rng, 37, 83);
    PlainForward::Row expected;
    for (kernels::CpuTarget target : kernels::kCpuTargets) {
      const kernels::CpuKernels* kernels = kernels::CpuKernelsFor(target);
      if (kernels == nullptr) continue;
      SCOPED_TRACE(std::string(tensor::DTypeName(dtype)) + " on " + kernels->name);
      DecoderOptions options = SmallOptions();
      options.kernels = kernels;
      options.kv_dtype = kvcache::KvDtype::kF32;
      auto model = Load(file, options);
      ASSERT_NE(model, nullptr);
      if (expected.empty()) expected = PlainForward(*file, model->config()).Logits(tokens);
      const std::vector<float> actual = LastLogits(*model, tokens);
      ASSERT_EQ(actual.size(), expected.size());
      for (std::size_t i = 0; i < actual.size(); ++i) ASSERT_NEAR(actual[i], expected[i], 2e-5) << "token " << i;
    }
  }
}

// Goal: a sequence's logits have the same bits alone and in any company, whatever the chunking, the number of threads,
// the blocks it got, who joins or leaves meanwhile, and whether it was preempted on the way; with exact inputs and with
// rounded ones, whatever the weights are packed to.
// Method: random traffic through the real scheduler with a pool too small for it, against each sequence on its own.
TEST(DecoderModelTest, MixedBatchGivesEachSequenceTheSameBitsAsAlone) {
  // Gemma's layers have all that a layer may have, and its local ones a window that slides.
  const std::shared_ptr<const tensor::GgufFile> files[] = {
      ParseTiny({}),
      ParseTiny({.layers = 7, .architecture = "gemma3", .window = 13}),
      ParseTiny({.architecture = "qwen2"}),
      ParseTiny({.dtype = tensor::DType::kQ8_0}),
      ParseTiny({.dtype = tensor::DType::kQ5_1, .architecture = "qwen3"}),
      ParseTiny({.dtype = tensor::DType::kF16})};
  std::int64_t preemptions = 0;
  for (std::uint32_t seed = 1; seed <= 24; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const auto& file = files[seed % std::size(files)];
    ASSERT_NE(file, nullptr);
    std::mt19937 rng(seed);
    DecoderOptions options = SmallOptions();
    options.threads = 1 + static_cast<int>(seed % 4);
    constexpr kvcache::KvDtype kDtypes[] = {kvcache::KvDtype::kF32, kvcache::KvDtype::kF16, kvcache::KvDtype::kQ8};
    options.kv_dtype = kDtypes[seed / 3 % 3];
    options.activations = seed > 12 ? Activations::kInt8 : Activations::kF32;
    auto model = Load(file, options);
    ASSERT_NE(model, nullptr);
    const std::int32_t step_tokens = 5 + static_cast<std::int32_t>(rng() % 20);
    auto scheduler = scheduler::Scheduler::Create(
        {.blocks_total = 20, .block_size = 4, .sequences_max = 5, .step_tokens_max = step_tokens});
    ASSERT_TRUE(scheduler.ok());
    SequenceDriver together(*model, **scheduler, /*keep_logits=*/true);
    std::vector<std::vector<std::int32_t>> prompts;
    std::vector<std::int32_t> lengths;
    for (std::uint64_t id = 0; id < 9; ++id) {
      prompts.push_back(RandomTokens(rng, 1 + rng() % 40, 83));
      lengths.push_back(1 + static_cast<std::int32_t>(rng() % 30));
      together.Start(id, prompts.back(), lengths.back());
      for (auto steps = rng() % 6; steps > 0; --steps) together.Step();
    }
    together.RunAll();
    preemptions += (*scheduler)->counts().preemptions_total;

    for (std::uint64_t id = 0; id < prompts.size(); ++id) {
      auto own_scheduler = scheduler::Scheduler::Create(
          {.blocks_total = 40, .block_size = 4, .sequences_max = 1, .step_tokens_max = 24});
      SequenceDriver alone(*model, **own_scheduler, /*keep_logits=*/true);
      alone.Start(id, prompts[id], lengths[id]);
      alone.RunAll();
      ASSERT_EQ(together.outcome(id).tokens, alone.outcome(id).tokens) << "sequence " << id;
      for (std::size_t i = 0; i < alone.outcome(id).logits.size(); ++i) {
        const auto &a = alone.outcome(id).logits[i], &b = together.outcome(id).logits[i];
        ASSERT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0) << "sequence " << id << " token " << i;
      }
    }
  }
  EXPECT_GT(preemptions, 0) << "the test is meant to preempt";
}

// Goal: what a row's logits are does not depend on which other rows sample, none of them among it.
TEST(DecoderModelTest, RowsThatSampleHaveTheSameBitsWhicheverDo) {
  for (const auto& file : {ParseTiny({}), ParseTiny({.layers = 7, .architecture = "gemma3", .window = 13})}) {
    ASSERT_NE(file, nullptr);
    const auto model = Load(file, SmallOptions());
    std::mt19937 rng(17);
    kvcache::StepBatch batch;
    batch.token_ids = RandomTokens(rng, 24, 83);
    for (std::int32_t row = 0; row < 24; ++row) batch.positions.push_back(row % 16);
    batch.row_begin = {0, 16, 24};
    batch.block_begin = {0, 4, 6};
    batch.block_ids = {5, 1, 7, 2, 9, 3};
    const auto logits_of = [&](std::vector<std::int32_t> rows) {
      batch.logit_rows = std::move(rows);
      model->ForwardStep(batch);
      std::vector<std::vector<float>> logits;
      for (std::int32_t i = 0; i < batch.samples(); ++i) {
        logits.emplace_back(model->logits(i).begin(), model->logits(i).end());
      }
      return logits;
    };
    std::map<std::int32_t, std::vector<float>> expected;
    for (const std::vector<std::int32_t>& rows : {std::vector<std::int32_t>{0, 3, 12, 15, 16, 20, 22, 23},
                                                  {15, 23},
                                                  {3, 3, 3, 20},
                                                  {},
                                                  {12},
                                                  {0, 16, 16, 23}}) {
      const auto logits = logits_of(rows);
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto [entry, is_new] = expected.emplace(rows[i], logits[i]);
        ASSERT_EQ(logits[i], entry->second) << "row " << rows[i];
      }
    }
  }
}

// Goal: the same over contexts of several attention spans, which idle threads share and a full batch does not, and over
// steps of so many rows that each thread multiplies some of them.
TEST(DecoderModelTest, LongContextHasTheSameBitsAloneOnManyThreadsAndInABatch) {
  for (tensor::DType weights : {tensor::DType::kF32, tensor::DType::kQ4_1, tensor::DType::kQ8_0}) {
    const auto file = ParseTiny({.dtype = weights});
    ASSERT_NE(file, nullptr);
    std::mt19937 rng(11);
    std::vector<std::vector<std::int32_t>> prompts;
    for (std::size_t length : {383, 300, 256, 129, 128, 127, 40, 1}) prompts.push_back(RandomTokens(rng, length, 83));
    for (kvcache::KvDtype dtype : {kvcache::KvDtype::kF32, kvcache::KvDtype::kF16, kvcache::KvDtype::kQ8}) {
      std::vector<std::vector<float>> expected;  // of each prompt's last token
      for (const auto& [threads, company, step_tokens] :
           {std::tuple(1, 8, 300), std::tuple(3, 1, 24), std::tuple(2, 2, 100), std::tuple(4, 8, 512)}) {
        SCOPED_TRACE(testing::Message() << threads << " threads, " << company << " sequences at once");
        DecoderOptions options = SmallOptions();
        options.threads = threads;
        options.kv_dtype = dtype;
        options.blocks_total = 120;
        options.block_size = 16;
        options.rows_max = 512;
        options.positions_max = 400;
        if (weights != tensor::DType::kF32) options.activations = Activations::kInt8;
        auto model = Load(file, options);
        ASSERT_NE(model, nullptr);
        auto scheduler = scheduler::Scheduler::Create(
            {.blocks_total = 120, .block_size = 16, .sequences_max = company, .step_tokens_max = step_tokens});
        ASSERT_TRUE(scheduler.ok()) << scheduler.status();
        SequenceDriver driver(*model, **scheduler, /*keep_logits=*/true);
        for (std::size_t id = 0; id < prompts.size(); ++id) driver.Start(id, prompts[id], 3);
        driver.RunAll();
        for (std::size_t id = 0; id < prompts.size(); ++id) {
          const std::vector<float>& actual = driver.outcome(id).logits.back();
          if (expected.size() <= id) expected.push_back(actual);
          ASSERT_EQ(std::memcmp(actual.data(), expected[id].data(), actual.size() * sizeof(float)), 0)
              << "prompt " << id;
        }
      }
    }
  }
}

TEST(DecoderModelTest, TellsOfEachLayerOfAStep) {
  const auto model = Load(ParseTiny({.layers = 5}), SmallOptions());
  ASSERT_NE(model, nullptr);
  int layers = 0;
  model->set_on_layer([&layers] { ++layers; });
  LastLogits(*model, {1, 2, 3});
  EXPECT_EQ(layers, 5);
}

TEST(DecoderModelTest, BatchBeyondTheOptionsIsABug) {
  DecoderOptions options = SmallOptions();
  options.threads = 1;  // a death test forks
  auto model = Load(ParseTiny({}), options);
  ASSERT_NE(model, nullptr);
  kvcache::StepBatch batch;
  batch.Clear();
  batch.token_ids = {83};  // the vocabulary is [0, 83)
  batch.positions = {0};
  batch.row_begin = {0, 1};
  batch.block_begin = {0, 1};
  batch.block_ids = {0};
  EXPECT_DEATH(model->ForwardStep(batch), "vocabulary");
  batch.token_ids = {0};
  batch.block_ids = {40};
  EXPECT_DEATH(model->ForwardStep(batch), "blocks_total");
  batch.block_ids = {0};
  batch.positions = {4};  // in a second block, which the sequence does not have
  EXPECT_DEATH(model->ForwardStep(batch), "slots");
  batch.positions = {0, 1};
  batch.token_ids = {0, 0};
  batch.row_begin = {0, 2};
  batch.logit_rows = {1, 0};
  EXPECT_DEATH(model->ForwardStep(batch), "is_sorted");
}

TEST(DecoderModelTest, OptionsOutOfBoundsAreNamed) {
  DecoderOptions options = SmallOptions();
  options.block_size = 257;
  EXPECT_NE(std::string(DecoderModel::Load(ParseTiny({}), options).status().message()).find("block_size"),
            std::string::npos);
  options = SmallOptions();
  options.swap_blocks = -1;
  EXPECT_NE(std::string(DecoderModel::Load(ParseTiny({}), options).status().message()).find("swap_blocks"),
            std::string::npos);
  options = SmallOptions();
  options.threads = 0;
  EXPECT_EQ(DecoderModel::Load(ParseTiny({}), options).status().code(), absl::StatusCode::kInvalidArgument);
}

struct BadModel {
  const char* message;  // must stand in the error
  std::function<void(TinyLlama&)> spoil;
};

void SetMetadata(TinyLlama& tiny, std::string key, double value) {
  tiny.edit_metadata = [key, value](auto& metadata) {
    std::erase_if(metadata, [&](const auto& entry) { return entry.first == key; });
    metadata.emplace_back(key, value);
  };
}

void DropMetadata(TinyLlama& tiny, std::string key) {
  tiny.edit_metadata = [key](auto& metadata) {
    std::erase_if(metadata, [&](const auto& entry) { return entry.first == key; });
  };
}

TEST(DecoderModelTest, ModelsThatAreNotWhatTheySayAreRefusedWithTheReason) {
  using Entries = std::vector<TinyLlama::Entry>;
  const BadModel bad_models[] = {
      {"architecture is mamba", [](TinyLlama& t) { t.architecture = "mamba"; }},
      {"llama.block_count", [](TinyLlama& t) { DropMetadata(t, "block_count"); }},
      {"llama.block_count", [](TinyLlama& t) { SetMetadata(t, "block_count", 0); }},
      {"llama.block_count", [](TinyLlama& t) { SetMetadata(t, "block_count", 4e9); }},
      {"blk.2.attn_norm.weight", [](TinyLlama& t) { SetMetadata(t, "block_count", 3); }},
      {"blk.1.attn_norm.weight", [](TinyLlama& t) { SetMetadata(t, "block_count", 1); }},
      {"shape", [](TinyLlama& t) { SetMetadata(t, "feed_forward_length", 128); }},
      {"head_count", [](TinyLlama& t) { SetMetadata(t, "attention.head_count", 3); }},
      {"head_count_kv", [](TinyLlama& t) { SetMetadata(t, "attention.head_count_kv", 3); }},
      {"multiple of 16", [](TinyLlama& t) { SetMetadata(t, "attention.head_count", 8); }},
      {"shape", [](TinyLlama& t) { SetMetadata(t, "attention.head_count_kv", 4); }},
      {"rms_epsilon", [](TinyLlama& t) { SetMetadata(t, "attention.layer_norm_rms_epsilon", -1); }},
      {"rope.freq_base", [](TinyLlama& t) { SetMetadata(t, "rope.freq_base", 0); }},
      {"rope.dimension_count", [](TinyLlama& t) { SetMetadata(t, "rope.dimension_count", 8); }},
      {"expert_count", [](TinyLlama& t) { SetMetadata(t, "expert_count", 8); }},
      {"rope.scaling.type",
       [](TinyLlama& t) {
         t.extra_entries = 1;
         t.extra_metadata = [](tensor::GgufBuilder& b) {
           b.Key("llama.rope.scaling.type", tensor::MetadataType::kString).Text("yarn");
         };
       }},
      {"token_embd.weight", [](TinyLlama& t) { t.edit_tensors = [](Entries& e) { e.erase(e.begin()); }; }},
      {"output_norm.weight", [](TinyLlama& t) { t.edit_tensors = [](Entries& e) { e.erase(e.begin() + 1); }; }},
      {"blk.1.ffn_down.weight", [](TinyLlama& t) { t.edit_tensors = [](Entries& e) { e.pop_back(); }; }},
      {"attn_q.bias",
       [](TinyLlama& t) {
         t.edit_tensors = [](Entries& e) { e.push_back({"blk.0.attn_q.bias", {64}, tensor::DType::kF32}); };
       }},
      {"shape [64, 1]", [](TinyLlama& t) { t.edit_tensors = [](Entries& e) {
                                             e[1].shape = {64, 1};
                                           }; }},
  };
  for (const BadModel& bad : bad_models) {
    TinyLlama tiny;
    bad.spoil(tiny);
    const auto file = ParseTiny(tiny);
    ASSERT_NE(file, nullptr) << bad.message << ": the file itself is well-formed";
    const absl::Status status = DecoderModel::Load(file, SmallOptions()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << bad.message << ": " << status;
    EXPECT_NE(std::string(status.message()).find(bad.message), std::string::npos) << bad.message << ": " << status;
  }
}

}  // namespace
}  // namespace model
