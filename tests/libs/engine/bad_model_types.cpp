// A3: one type taken for another, for every key that the loader reads, and for the tensors.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/libs/engine/bad_model_files.h"

namespace engine {
namespace {

using tensor::Encoded;
using tensor::EncodedArray;
using tensor::EncodedText;
using tensor::EncodedTexts;
using tensor::GgufDraft;
using tensor::MetadataType;

struct Value {
  const char* name;
  MetadataType type;
  std::string encoded;
};

// The number 2 as every type, alone and in arrays; each is a good value of its own type.
std::vector<Value> Values() {
  return {{"uint8", MetadataType::kUint8, Encoded<std::uint8_t>(2)},
          {"int8", MetadataType::kInt8, Encoded<std::int8_t>(2)},
          {"uint16", MetadataType::kUint16, Encoded<std::uint16_t>(2)},
          {"int16", MetadataType::kInt16, Encoded<std::int16_t>(2)},
          {"uint32", MetadataType::kUint32, Encoded<std::uint32_t>(2)},
          {"int32", MetadataType::kInt32, Encoded<std::int32_t>(2)},
          {"uint64", MetadataType::kUint64, Encoded<std::uint64_t>(2)},
          {"int64", MetadataType::kInt64, Encoded<std::int64_t>(2)},
          {"float32", MetadataType::kFloat32, Encoded(2.0F)},
          {"float64", MetadataType::kFloat64, Encoded(2.0)},
          {"bool", MetadataType::kBool, Encoded<std::uint8_t>(1)},
          {"string", MetadataType::kString, EncodedText("2")},
          {"array-of-uint8", MetadataType::kArray, EncodedArray<std::uint8_t>(MetadataType::kUint8, {2, 2})},
          {"array-of-int8", MetadataType::kArray, EncodedArray<std::int8_t>(MetadataType::kInt8, {2, 2})},
          {"array-of-int16", MetadataType::kArray, EncodedArray<std::int16_t>(MetadataType::kInt16, {2, 2})},
          {"array-of-uint32", MetadataType::kArray, EncodedArray<std::uint32_t>(MetadataType::kUint32, {2, 2})},
          {"array-of-int32", MetadataType::kArray, EncodedArray<std::int32_t>(MetadataType::kInt32, {2, 2})},
          {"array-of-float32", MetadataType::kArray, EncodedArray<float>(MetadataType::kFloat32, {2, 2})},
          {"array-of-int64", MetadataType::kArray, EncodedArray<std::int64_t>(MetadataType::kInt64, {2, 2})},
          {"array-of-bool", MetadataType::kArray, EncodedArray<std::uint8_t>(MetadataType::kBool, {1, 1})},
          {"array-of-string", MetadataType::kArray, EncodedTexts({"2", "2"})}};
}

// What a key may be. Integers of any width are taken for one another when the value fits.
enum class Kind { kInteger, kReal, kBool, kText, kTexts, kInt32s };

bool Fits(Kind kind, const std::string& type) {
  const bool array = type.starts_with("array");
  switch (kind) {
    case Kind::kInteger:
      return !array && type.find("int") != std::string::npos;
    case Kind::kReal:
      return type == "float32" || type == "float64";
    case Kind::kBool:
      return type == "bool";
    case Kind::kText:
      return type == "string";
    case Kind::kTexts:
      return type == "array-of-string";
    case Kind::kInt32s:
      return type == "array-of-int32";
  }
  return false;
}

void AddKeys(BadModelShelf& shelf) {
  const std::pair<const char*, Kind> keys[] = {{"general.architecture", Kind::kText},
                                               {"llama.block_count", Kind::kInteger},
                                               {"llama.context_length", Kind::kInteger},
                                               {"llama.embedding_length", Kind::kInteger},
                                               {"llama.feed_forward_length", Kind::kInteger},
                                               {"llama.attention.head_count", Kind::kInteger},
                                               {"llama.attention.head_count_kv", Kind::kInteger},
                                               {"llama.attention.key_length", Kind::kInteger},
                                               {"llama.attention.value_length", Kind::kInteger},
                                               {"llama.rope.dimension_count", Kind::kInteger},
                                               {"llama.attention.layer_norm_rms_epsilon", Kind::kReal},
                                               {"llama.rope.freq_base", Kind::kReal},
                                               {"llama.rope.scaling.type", Kind::kText},
                                               {"llama.rope.scale_linear", Kind::kReal},
                                               {"llama.expert_count", Kind::kInteger},
                                               {"tokenizer.ggml.model", Kind::kText},
                                               {"tokenizer.ggml.pre", Kind::kText},
                                               {"tokenizer.ggml.tokens", Kind::kTexts},
                                               {"tokenizer.ggml.token_type", Kind::kInt32s},
                                               {"tokenizer.ggml.merges", Kind::kTexts},
                                               {"tokenizer.ggml.bos_token_id", Kind::kInteger},
                                               {"tokenizer.ggml.eos_token_id", Kind::kInteger},
                                               {"tokenizer.ggml.eot_token_id", Kind::kInteger},
                                               {"tokenizer.ggml.add_bos_token", Kind::kBool},
                                               {"tokenizer.chat_template", Kind::kText}};
  const std::vector<Value> values = Values();
  for (const auto& [key, kind] : keys) {
    for (const Value& value : values) {
      if (Fits(kind, value.name)) continue;
      shelf.Add("a3-" + std::string(key) + "-as-" + value.name, key,
                [&, key = key](GgufDraft& d) { d.Put(key, value.type, value.encoded); });
    }
  }
  for (const std::uint32_t type : {13U, 255U, 0x80000000U, 0xFFFFFFFFU}) {
    for (const char* key : {"llama.block_count", "tokenizer.chat_template"}) {
      shelf.Add("a3-" + std::string(key) + "-of-type-" + std::to_string(type), key,
                [=](GgufDraft& d) { d.entry(key).type = type; });
    }
    shelf.Add("a3-elements-of-type-" + std::to_string(type), "tokenizer.ggml.tokens",
              [=](GgufDraft& d) { d.entry("tokenizer.ggml.tokens").value.replace(0, 4, Encoded(type)); });
  }
  shelf.Add("a3-array-of-arrays", "tokenizer.ggml.tokens",
            [](GgufDraft& d) { d.entry("tokenizer.ggml.tokens").value.replace(0, 4, Encoded<std::uint32_t>(9)); });
  shelf.Add("a3-bool-of-2", "tokenizer.ggml.add_bos_token",
            [](GgufDraft& d) { d.Put("tokenizer.ggml.add_bos_token", MetadataType::kBool, Encoded<std::uint8_t>(2)); });
}

// The same bytes under another element type: an array of int8 read as float32 reaches three times past its end.
void AddReinterpretedArrays(BadModelShelf& shelf) {
  for (const auto& [name, type] :
       {std::pair("uint32", MetadataType::kUint32), std::pair("float32", MetadataType::kFloat32),
        std::pair("int8", MetadataType::kInt8), std::pair("int64", MetadataType::kInt64),
        std::pair("string", MetadataType::kString)}) {
    shelf.Add("a3-token-types-relabelled-" + std::string(name), "", [type = type](GgufDraft& d) {
      d.entry("tokenizer.ggml.token_type").value.replace(0, 4, Encoded(static_cast<std::uint32_t>(type)));
    });
  }
}

void AddTensors(BadModelShelf& shelf) {
  for (const char* name : {"token_embd.weight", "output_norm.weight", "blk.0.attn_q.weight", "blk.1.ffn_down.weight"}) {
    // Retired, unsupported, never given and all ones; then known types, whose size then differs.
    for (const std::uint32_t type : {4U, 5U, 9U, 10U, 15U, 16U, 24U, 27U, 28U, 31U, 40U, 0x7FFFFFFFU, 0xFFFFFFFFU}) {
      shelf.Add("a3-" + std::string(name) + "-of-type-" + std::to_string(type), name,
                [=](GgufDraft& d) { d.tensor(name).type = type; });
    }
    const std::uint32_t good = GgufDraft(shelf.good()).tensor(name).type;
    for (const std::uint32_t type : {0U, 1U, 2U, 3U, 6U, 7U, 8U, 12U, 13U, 14U, 30U}) {
      if (type == good || (type == 30 && good == 1)) continue;              // BF16 and F16 are of one size
      if (type == 2 && name == shelf.good().tensors.back().name) continue;  // smaller, with padding behind it
      shelf.Add("a3-" + std::string(name) + "-relabelled-" + std::to_string(type), "tensor",
                [=](GgufDraft& d) { d.tensor(name).type = type; });
    }
  }
}

}  // namespace

void AddBadTypes(BadModelShelf& shelf) {
  AddKeys(shelf);
  AddReinterpretedArrays(shelf);
  AddTensors(shelf);
}

}  // namespace engine
