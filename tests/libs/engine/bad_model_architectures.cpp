// A1, A3 and A4 in what the other architectures and SentencePiece vocabularies add: norms of queries and keys, biases,
// windows, scores.
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tests/libs/engine/bad_model_files.h"
#include "tests/libs/engine/tiny_chat_model.h"

namespace engine {
namespace {

using tensor::Encoded;
using tensor::EncodedArray;
using tensor::EncodedText;
using tensor::GgufDraft;
using tensor::MetadataType;

GgufDraft GoodModelOf(const std::string& architecture) {
  model::TinyLlama tiny = TinyChatModel();
  tiny.architecture = architecture;
  return GgufDraft::Of(tiny.Bytes());
}

void AddTensors(BadModelShelf& shelf, const std::string& architecture, const std::vector<std::string>& names) {
  const GgufDraft good = GoodModelOf(architecture);
  for (const std::string& name : names) {
    const auto add = [&](const std::string& what, const BadModelShelf::Spoil& spoil) {
      shelf.AddTo(good, "a4-" + architecture + "-" + name + "-" + what, name, spoil);
    };
    add("missing", [&](GgufDraft& d) { d.RemoveTensor(name); });
    add("of-two-dimensions", [&](GgufDraft& d) { ++d.tensor(name).dimensions, d.tensor(name).shape.push_back(1); });
    add("of-one-value", [&](GgufDraft& d) {  // with the data that belongs to it, so that only the shape is wrong
      const std::string& last = d.tensors.back().name;
      if (last != name) std::swap(d.tensor(name).name, d.tensors.back().name);
      d.tensors.back().shape = {1}, d.tensors.back().dimensions = 1, d.tensors.back().type = 0;
    });
    add("of-type-41", [&](GgufDraft& d) { d.tensor(name).type = 41; });
    add("wrapping", [&](GgufDraft& d) { d.tensor(name).shape[0] = std::uint64_t{1} << 62; });
  }
  // The plain layer's own keys and tensors, and those of another family.
  shelf.AddTo(good, "a4-" + architecture + "-under-the-name-of-llama", "model metadata llama.",
              [](GgufDraft& d) { d.Put("general.architecture", MetadataType::kString, EncodedText("llama")); });
}

void AddGemmaKeys(BadModelShelf& shelf) {
  const GgufDraft good = GoodModelOf("gemma3");
  const auto add = [&](const std::string& key, const std::string& what, MetadataType type, const std::string& value) {
    shelf.AddTo(good, "a4-" + key + "-" + what, key, [&](GgufDraft& d) {
      d.Put("gemma3.attention.sliding_window", MetadataType::kUint32, Encoded<std::uint32_t>(8));
      d.Put(key, type, value);
    });
  };
  for (const char* key : {"gemma3.attention.sliding_window", "gemma3.attention.sliding_window_pattern"}) {
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1} << 31, (std::uint64_t{1} << 32) + 8,
                                      std::numeric_limits<std::uint64_t>::max()}) {
      add(key, std::to_string(value), MetadataType::kUint64, Encoded(value));
    }
    add(key, "negative", MetadataType::kInt32, Encoded<std::int32_t>(-8));
    add(key, "float32", MetadataType::kFloat32, Encoded(8.0F));
    add(key, "text", MetadataType::kString, EncodedText("8"));
    add(key, "array", MetadataType::kArray, EncodedArray<std::int32_t>(MetadataType::kInt32, {8, 8}));
  }
  for (const char* key : {"gemma3.rope.freq_base_swa", "gemma3.rope.scaling.factor"}) {
    add(key, "nan", MetadataType::kFloat32, Encoded(std::numeric_limits<float>::quiet_NaN()));
    add(key, "infinity", MetadataType::kFloat32, Encoded(std::numeric_limits<float>::infinity()));
    add(key, "zero", MetadataType::kFloat32, Encoded(0.0F));
    add(key, "negative", MetadataType::kFloat32, Encoded(-1.0F));
    add(key, "zero-in-32-bits", MetadataType::kFloat64, Encoded(1e-300));
    add(key, "text", MetadataType::kString, EncodedText("1"));
    add(key, "uint32", MetadataType::kUint32, Encoded<std::uint32_t>(10'000));
  }
  add("gemma3.final_logit_softcapping", "30", MetadataType::kFloat32, Encoded(30.0F));
  add("gemma3.rope.scaling.type", "yarn", MetadataType::kString, EncodedText("yarn"));
}

void AddScores(BadModelShelf& shelf) {
  const auto add = [&](const std::string& what, const BadModelShelf::Spoil& spoil) {
    shelf.Add("a3-scores-" + what, "tokenizer.ggml.scores", [&](GgufDraft& d) {
      d.Put("tokenizer.ggml.model", MetadataType::kString, EncodedText("llama"));
      d.Remove("tokenizer.ggml.pre");
      spoil(d);
    });
  };
  const auto put = [](GgufDraft& d, std::string value) {
    d.Put("tokenizer.ggml.scores", MetadataType::kArray, std::move(value));
  };
  add("missing", [](GgufDraft&) {});
  add("none", [&](GgufDraft& d) { put(d, EncodedArray<float>(MetadataType::kFloat32, {})); });
  add("one-too-few", [&](GgufDraft& d) { put(d, EncodedArray(MetadataType::kFloat32, std::vector<float>(258))); });
  add("one-too-many", [&](GgufDraft& d) { put(d, EncodedArray(MetadataType::kFloat32, std::vector<float>(260))); });
  add("int8", [&](GgufDraft& d) { put(d, EncodedArray(MetadataType::kInt8, std::vector<std::int8_t>(259))); });
  add("int32", [&](GgufDraft& d) { put(d, EncodedArray(MetadataType::kInt32, std::vector<std::int32_t>(259))); });
  add("float64", [&](GgufDraft& d) { put(d, EncodedArray(MetadataType::kFloat64, std::vector<double>(259))); });
  add("a-number", [](GgufDraft& d) { d.Put("tokenizer.ggml.scores", MetadataType::kFloat32, Encoded(1.0F)); });
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
    add("of-" + std::to_string(value), [&](GgufDraft& d) {
      std::vector<float> scores(259);
      scores[77] = value;
      put(d, EncodedArray(MetadataType::kFloat32, scores));
    });
  }
}

}  // namespace

void AddBadArchitectures(BadModelShelf& shelf) {
  AddTensors(shelf, "qwen2", {"blk.1.attn_q.bias", "blk.1.attn_k.bias", "blk.0.attn_v.bias"});
  AddTensors(shelf, "qwen3", {"blk.1.attn_q_norm.weight", "blk.0.attn_k_norm.weight"});
  AddTensors(shelf, "gemma3",
             {"blk.1.attn_q_norm.weight", "blk.0.post_attention_norm.weight", "blk.1.post_ffw_norm.weight"});
  AddGemmaKeys(shelf);
  AddScores(shelf);
}

}  // namespace engine
