// What the metadata and tensors of each architecture turn into, and how files that contradict themselves are refused.
// That the forward passes compute the right thing is tests/golden/architectures' business.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "libs/model/decoder_config.h"
#include "libs/model/decoder_weights.h"
#include "tests/libs/model/tiny_llama.h"

namespace model {
namespace {

using Entries = std::vector<TinyLlama::Entry>;

void SetMetadata(TinyLlama& tiny, std::string key, double value) {
  tiny.edit_metadata = [key, value](auto& metadata) {
    std::erase_if(metadata, [&](const auto& entry) { return entry.first == key; });
    metadata.emplace_back(key, value);
  };
}

void SetText(TinyLlama& tiny, std::string key, std::string value) {
  tiny.extra_entries = 1;
  tiny.extra_metadata = [=](tensor::GgufBuilder& builder) {
    builder.Key(key, tensor::MetadataType::kString).Text(value);
  };
}

void DropTensor(TinyLlama& tiny, std::string name) {
  tiny.edit_tensors = [name](Entries& entries) {
    std::erase_if(entries, [&](const TinyLlama::Entry& entry) { return entry.name == name; });
  };
}

void Reshape(TinyLlama& tiny, std::string name, std::vector<std::uint64_t> shape) {
  tiny.edit_tensors = [=](Entries& entries) {
    for (TinyLlama::Entry& entry : entries) {
      if (entry.name == name) entry.shape = shape;
    }
  };
}

void AddTensor(TinyLlama& tiny, std::string name, std::vector<std::uint64_t> shape) {
  tiny.edit_tensors = [=](Entries& entries) { entries.push_back({name, shape, tensor::DType::kF32}); };
}

DecoderConfig ConfigOf(const TinyLlama& tiny) {
  const auto file = ParseTiny(tiny);
  EXPECT_NE(file, nullptr);
  const auto config = DecoderConfig::FromGguf(*file);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *config : DecoderConfig{};
}

TEST(ArchitecturesTest, EachAddsItsOwnToThePlainLayer) {
  const DecoderConfig llama = ConfigOf({});
  EXPECT_EQ(ArchitectureName(llama.architecture), "llama");
  EXPECT_EQ(llama.rope_pairs, kernels::RopePairs::kNeighbours);
  EXPECT_FALSE(llama.qkv_bias || llama.qk_norm || llama.post_norms || llama.is_local(0));
  EXPECT_EQ(llama.embedding_scale, 1.0F);
  EXPECT_EQ(llama.attention_scale, 0.25F);  // heads of 16

  const DecoderConfig qwen2 = ConfigOf({.architecture = "qwen2"});
  EXPECT_EQ(qwen2.rope_pairs, kernels::RopePairs::kHalves);
  EXPECT_TRUE(qwen2.qkv_bias);
  EXPECT_FALSE(qwen2.qk_norm || qwen2.post_norms);

  const DecoderConfig qwen3 = ConfigOf({.architecture = "qwen3"});
  EXPECT_EQ(qwen3.rope_pairs, kernels::RopePairs::kHalves);
  EXPECT_TRUE(qwen3.qk_norm);
  EXPECT_FALSE(qwen3.qkv_bias || qwen3.post_norms);

  const DecoderConfig gemma3 = ConfigOf({.layers = 7, .architecture = "gemma3", .window = 32});
  EXPECT_EQ(gemma3.rope_pairs, kernels::RopePairs::kHalves);
  EXPECT_TRUE(gemma3.qk_norm && gemma3.post_norms);
  EXPECT_FALSE(gemma3.qkv_bias);
  EXPECT_EQ(gemma3.gate, kernels::GateActivation::kGelu);
  EXPECT_EQ(gemma3.embedding_scale, 8.0F);  // sqrt(64)
  EXPECT_EQ(gemma3.attention_scale, 0.25F);
}

TEST(ArchitecturesTest, Gemma3SeesAWindowInFiveLayersOfSix) {
  TinyLlama tiny{.layers = 12, .architecture = "gemma3", .window = 32};
  DecoderConfig config = ConfigOf(tiny);
  EXPECT_EQ(config.window, 32);
  EXPECT_EQ(config.local_rope_freq_base, 10000.0F);
  for (std::int32_t layer = 0; layer < 12; ++layer) EXPECT_EQ(config.is_local(layer), layer != 5 && layer != 11);

  SetMetadata(tiny, "attention.sliding_window_pattern", 2);
  config = ConfigOf(tiny);
  for (std::int32_t layer = 0; layer < 12; ++layer) EXPECT_EQ(config.is_local(layer), layer % 2 == 0);

  tiny.window = 0;  // without the key every layer is global
  config = ConfigOf(tiny);
  for (std::int32_t layer = 0; layer < 12; ++layer) EXPECT_FALSE(config.is_local(layer));
}

TEST(ArchitecturesTest, Gemma3Of62LayersScalesAttentionByItsWidth) {
  TinyLlama tiny{.layers = 62, .width = 128, .heads = 4, .architecture = "gemma3"};
  SetMetadata(tiny, "attention.key_length", 16);
  EXPECT_FLOAT_EQ(ConfigOf(tiny).attention_scale, 1.0F / std::sqrt(32.0F));
}

TEST(ArchitecturesTest, PositionsAreScaledLinearlyAlone) {
  TinyLlama tiny;
  SetMetadata(tiny, "rope.scaling.factor", 8);
  EXPECT_EQ(ConfigOf(tiny).rope_position_divisor, 8.0F);
  SetText(tiny, "llama.rope.scaling.type", "linear");
  EXPECT_EQ(ConfigOf(tiny).rope_position_divisor, 8.0F);
  SetText(tiny, "llama.rope.scaling.type", "none");
  EXPECT_EQ(ConfigOf(tiny).rope_position_divisor, 1.0F);
}

TEST(ArchitecturesTest, WeightsHoldWhatTheLayerHas) {
  for (const char* name : {"llama", "qwen2", "qwen3", "gemma3"}) {
    SCOPED_TRACE(name);
    TinyLlama tiny{.architecture = name};
    if (std::string(name) == "llama") {
      tiny.edit_tensors = [](Entries& entries) { entries.push_back({"rope_freqs.weight", {8}, tensor::DType::kF32}); };
    }
    const auto file = ParseTiny(tiny);
    ASSERT_NE(file, nullptr);
    const auto config = DecoderConfig::FromGguf(*file);
    ASSERT_TRUE(config.ok()) << config.status();
    const auto weights = DecoderWeights::FromGguf(*file, *config);
    ASSERT_TRUE(weights.ok()) << weights.status();
    const DecoderLayer& layer = weights->layers.back();
    EXPECT_EQ(layer.qkv_bias.size(), config->qkv_bias ? 64u + 32u + 32u : 0u);
    EXPECT_EQ(layer.q_norm.size(), config->qk_norm ? 16u : 0u);
    EXPECT_EQ(layer.k_norm.size(), layer.q_norm.size());
    EXPECT_EQ(layer.post_attention_norm.size(), config->post_norms ? 64u : 0u);
    EXPECT_EQ(layer.post_ffn_norm.size(), layer.post_attention_norm.size());
    EXPECT_EQ(weights->rope_pair_divisors.size(), std::string(name) == "llama" ? 8u : 0u);
  }
}

TEST(ArchitecturesTest, FilesThatContradictThemselvesAreRefusedWithTheReason) {
  const struct {
    const char* architecture;
    const char* message;  // must stand in the error
    std::function<void(TinyLlama&)> spoil;
  } bad_models[] = {
      {"qwen4", "architecture is qwen4, supported are llama, qwen2, qwen3, gemma3", [](TinyLlama&) {}},
      {"qwen2", "qwen2.block_count", [](TinyLlama& t) { SetMetadata(t, "block_count", 0); }},
      {"qwen2", "no tensor blk.1.attn_k.bias", [](TinyLlama& t) { DropTensor(t, "blk.1.attn_k.bias"); }},
      {"qwen2", "blk.0.attn_q.bias has shape [32]", [](TinyLlama& t) { Reshape(t, "blk.0.attn_q.bias", {32}); }},
      {"qwen2", "not part of the supported qwen2", [](TinyLlama& t) { AddTensor(t, "blk.0.attn_output.bias", {64}); }},
      {"qwen2", "qwen2.attention.sliding_window", [](TinyLlama& t) { t.window = 64; }},
      {"qwen2", "qwen2.expert_count", [](TinyLlama& t) { SetMetadata(t, "expert_count", 60); }},
      {"qwen2", "is yarn; none and linear are supported",
       [](TinyLlama& t) { SetText(t, "qwen2.rope.scaling.type", "yarn"); }},
      {"qwen2", "is a\\x00z; none",
       [](TinyLlama& t) { SetText(t, "qwen2.rope.scaling.type", std::string("a\0z", 3)); }},
      {"qwen2", "qwen2.rope.scaling.factor", [](TinyLlama& t) { SetText(t, "qwen2.rope.scaling.type", "linear"); }},
      {"qwen2", "qwen2.rope.scaling.factor", [](TinyLlama& t) { SetMetadata(t, "rope.scaling.factor", 0); }},
      {"qwen2", "rope_freqs.weight is not part", [](TinyLlama& t) { AddTensor(t, "rope_freqs.weight", {8}); }},
      {"qwen3", "no tensor blk.0.attn_q_norm.weight", [](TinyLlama& t) { DropTensor(t, "blk.0.attn_q_norm.weight"); }},
      {"qwen3", "blk.1.attn_k_norm.weight has shape [64]",
       [](TinyLlama& t) { Reshape(t, "blk.1.attn_k_norm.weight", {64}); }},
      {"qwen3", "blk.0.attn_q.bias is not part", [](TinyLlama& t) { AddTensor(t, "blk.0.attn_q.bias", {64}); }},
      {"qwen3", "hyper-parameters say [64, 128]", [](TinyLlama& t) { SetMetadata(t, "attention.key_length", 32); }},
      {"qwen3", "qwen3.attention.value_length", [](TinyLlama& t) { SetMetadata(t, "attention.value_length", 32); }},
      {"gemma3", "no tensor blk.1.post_ffw_norm.weight",
       [](TinyLlama& t) { DropTensor(t, "blk.1.post_ffw_norm.weight"); }},
      {"gemma3", "blk.0.post_attention_norm.weight has shape [16]",
       [](TinyLlama& t) { Reshape(t, "blk.0.post_attention_norm.weight", {16}); }},
      {"gemma3", "gemma3.attention.sliding_window",
       [](TinyLlama& t) { SetMetadata(t, "attention.sliding_window", 0); }},
      {"gemma3", "gemma3.attention.sliding_window_pattern",
       [](TinyLlama& t) {
         t.window = 8;
         SetMetadata(t, "attention.sliding_window_pattern", 0);
       }},
      {"gemma3", "gemma3.rope.freq_base_swa",
       [](TinyLlama& t) {
         t.window = 8;
         SetMetadata(t, "rope.freq_base_swa", 0.5);
       }},
      {"gemma3", "gemma3.final_logit_softcapping: a soft cap on logits is not supported",
       [](TinyLlama& t) { SetMetadata(t, "final_logit_softcapping", 30); }},
      {"gemma3", "gemma3.attn_logit_softcapping", [](TinyLlama& t) { SetMetadata(t, "attn_logit_softcapping", 50); }},
      {"llama", "rope_freqs.weight has shape [16]", [](TinyLlama& t) { AddTensor(t, "rope_freqs.weight", {16}); }},
      {"llama", "post_ffw_norm.weight is not part",
       [](TinyLlama& t) { AddTensor(t, "blk.0.post_ffw_norm.weight", {64}); }},
  };
  for (const auto& bad : bad_models) {
    SCOPED_TRACE(bad.message);
    TinyLlama tiny{.architecture = bad.architecture};
    bad.spoil(tiny);
    const auto file = ParseTiny(tiny);
    ASSERT_NE(file, nullptr) << "the file itself is well-formed";
    const auto config = DecoderConfig::FromGguf(*file);
    const absl::Status status = config.ok() ? DecoderWeights::FromGguf(*file, *config).status() : config.status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_NE(std::string(status.message()).find(bad.message), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace model
