// A1 and A4: hyper-parameters that size buffers, out of range, negative, not numbers, or in contradiction with the
// tensors.
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "tests/libs/engine/bad_model_files.h"

namespace engine {
namespace {

using tensor::Encoded;
using tensor::EncodedText;
using tensor::GgufDraft;
using tensor::MetadataType;

constexpr std::uint64_t kU64Max = std::numeric_limits<std::uint64_t>::max();

void AddUint(BadModelShelf& shelf, const std::string& key, std::uint64_t value, std::string names = {}) {
  if (names.empty()) names = key;
  shelf.Add("a4-" + key + "-" + std::to_string(value), names,
            [&](GgufDraft& d) { d.Put(key, MetadataType::kUint64, Encoded(value)); });
}

void AddReal(BadModelShelf& shelf, const std::string& key, const std::string& what, double value) {
  shelf.Add("a4-" + key + "-of-" + what, key,
            [&](GgufDraft& d) { d.Put(key, MetadataType::kFloat32, Encoded(static_cast<float>(value))); });
  shelf.Add("a4-" + key + "-of-" + what + "-in-64-bits", key,
            [&](GgufDraft& d) { d.Put(key, MetadataType::kFloat64, Encoded(value)); });
}

void AddOutOfRange(BadModelShelf& shelf) {
  const std::pair<const char*, std::uint32_t> integers[] = {
      {"llama.block_count", 2},           {"llama.context_length", 256},        {"llama.embedding_length", 64},
      {"llama.feed_forward_length", 96},  {"llama.attention.head_count", 4},    {"llama.attention.head_count_kv", 2},
      {"llama.attention.key_length", 16}, {"llama.attention.value_length", 16}, {"llama.rope.dimension_count", 16}};
  for (const auto& [key, good] : integers) {
    // The last is the good value again when only 32 bits are looked at.
    for (const std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{1} << 31, std::uint64_t{1} << 63, kU64Max, (std::uint64_t{1} << 32) + good}) {
      AddUint(shelf, key, value);
    }
    shelf.Add("a4-" + std::string(key) + "-negative", key, [key = key, good = good](GgufDraft& d) {
      d.Put(key, MetadataType::kInt32, Encoded(-static_cast<std::int32_t>(good)));
    });
    shelf.Add("a4-" + std::string(key) + "-smallest", key, [key = key](GgufDraft& d) {
      d.Put(key, MetadataType::kInt64, Encoded(std::numeric_limits<std::int64_t>::min()));
    });
  }
  constexpr double kInf = std::numeric_limits<double>::infinity();
  for (const char* key : {"llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base"}) {
    AddReal(shelf, key, "nan", std::numeric_limits<double>::quiet_NaN());
    AddReal(shelf, key, "infinity", kInf);
    AddReal(shelf, key, "minus-infinity", -kInf);
    AddReal(shelf, key, "zero", 0);
    AddReal(shelf, key, "minus-one", -1);
    AddReal(shelf, key, "minus-zero", -0.0);
    AddReal(shelf, key, "too-much", 1e15);
  }
  shelf.Add("a4-epsilon-that-is-zero-in-32-bits", "llama.attention.layer_norm_rms_epsilon", [](GgufDraft& d) {
    d.Put("llama.attention.layer_norm_rms_epsilon", MetadataType::kFloat64, Encoded(1e-300));
  });
}

// In range each, but not together, nor with the tensors' shapes.
void AddContradictions(BadModelShelf& shelf) {
  AddUint(shelf, "llama.block_count", 1, "blk.1.");
  AddUint(shelf, "llama.block_count", 3, "blk.2.");
  AddUint(shelf, "llama.block_count", 1024, "blk.2.");
  AddUint(shelf, "llama.embedding_length", 65, "head_count");
  AddUint(shelf, "llama.embedding_length", 128, "token_embd.weight");
  AddUint(shelf, "llama.embedding_length", 1 << 17, "head_count");
  AddUint(shelf, "llama.feed_forward_length", 64, "blk.0.ffn_");
  AddUint(shelf, "llama.feed_forward_length", 1 << 20, "blk.0.ffn_");
  AddUint(shelf, "llama.attention.head_count", 1, "head_count");
  AddUint(shelf, "llama.attention.head_count", 2, "blk.0.attn_k.weight");
  AddUint(shelf, "llama.attention.head_count", 3);
  AddUint(shelf, "llama.attention.head_count", 1024);
  AddUint(shelf, "llama.attention.head_count_kv", 1, "blk.0.attn_k.weight");
  AddUint(shelf, "llama.attention.head_count_kv", 3);
  AddUint(shelf, "llama.attention.head_count_kv", 8);
  AddUint(shelf, "llama.attention.key_length", 8, "heads of 8");
  AddUint(shelf, "llama.attention.key_length", 32, "blk.0.attn_q.weight");
  AddUint(shelf, "llama.attention.value_length", 32);
  AddUint(shelf, "llama.rope.dimension_count", 8);
  AddUint(shelf, "llama.expert_count", 8);
  shelf.Add("a4-rope-scaled", "llama.rope.scaling.type",
            [](GgufDraft& d) { d.Put("llama.rope.scaling.type", MetadataType::kString, EncodedText("yarn")); });
  for (const char* name : {"gpt2", "", "llama\033[2J", "Llama"}) {
    shelf.Add("a4-architecture-" + std::to_string(std::string_view(name).size()) + "-" +
                  std::to_string(static_cast<unsigned char>(name[0])),
              "architecture",
              [=](GgufDraft& d) { d.Put("general.architecture", MetadataType::kString, EncodedText(name)); });
  }
  shelf.Add("a4-architecture-of-a-megabyte", "architecture", [](GgufDraft& d) {
    d.Put("general.architecture", MetadataType::kString, EncodedText(std::string(1 << 20, 'l')));
  });
}

// Shapes that no hyper-parameter asks for, laid out well.
void AddShapes(BadModelShelf& shelf) {
  for (const char* name : {"output_norm.weight", "blk.0.attn_q.weight", "blk.1.ffn_down.weight", "token_embd.weight"}) {
    shelf.Add("a4-another-rank-of-" + std::string(name), name, [=](GgufDraft& d) {
      d.tensor(name).shape.push_back(1);
      ++d.tensor(name).dimensions;
    });
  }
  shelf.Add("a4-columns-and-rows-exchanged", "blk.0.attn_k.weight", [](GgufDraft& d) {
    std::swap(d.tensor("blk.0.attn_k.weight").shape[0], d.tensor("blk.0.attn_k.weight").shape[1]);
  });
  shelf.Add("a4-a-tensor-of-another-model", "blk.0.attn_q.weight",
            [](GgufDraft& d) { d.tensor("blk.0.attn_q.weight").name = "blk.0.attn_q.bias"; });
  shelf.Add("a4-a-tensor-that-nobody-asked-for", "surplus", [](GgufDraft& d) {
    d.data.resize((d.data.size() + 31) / 32 * 32);
    d.tensors.push_back({.name = "surplus\033[2J", .dimensions = 1, .shape = {8}, .type = 0, .offset = d.data.size()});
    d.data.append(32, '\0');
  });
}

}  // namespace

void AddBadHyperParameters(BadModelShelf& shelf) {
  AddOutOfRange(shelf);
  AddContradictions(shelf);
  AddShapes(shelf);
}

}  // namespace engine
