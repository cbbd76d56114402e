// A4: vocabularies whose ids, types, lengths and merges contradict one another, and chat templates that are none.
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
using tensor::EncodedTexts;
using tensor::GgufDraft;
using tensor::MetadataType;

constexpr const char* kTokens = "tokenizer.ggml.tokens";
constexpr const char* kTypes = "tokenizer.ggml.token_type";
constexpr const char* kMerges = "tokenizer.ggml.merges";

// The good file's 259 tokens and their types.
std::vector<std::string> GoodTokens() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(ByteSpelling(byte));
  for (const char* control : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) tokens.emplace_back(control);
  return tokens;
}

std::vector<std::int32_t> GoodTypes() {
  std::vector<std::int32_t> types(256, 1);
  types.insert(types.end(), 3, 3);
  return types;
}

void AddIds(BadModelShelf& shelf) {
  for (const char* what : {"bos", "eos", "eot"}) {
    const std::string key = "tokenizer.ggml." + std::string(what) + "_token_id";
    for (const std::uint64_t id : {std::uint64_t{259}, std::uint64_t{260}, std::uint64_t{1} << 31,
                                   (std::uint64_t{1} << 32) + 258, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
      shelf.Add("a4-" + std::string(what) + "-" + std::to_string(id), key,
                [&](GgufDraft& d) { d.Put(key, MetadataType::kUint64, Encoded(id)); });
    }
    shelf.Add("a4-" + std::string(what) + "-negative", key,
              [&](GgufDraft& d) { d.Put(key, MetadataType::kInt32, Encoded<std::int32_t>(-1)); });
    shelf.Add("a4-" + std::string(what) + "-smallest", key, [&](GgufDraft& d) {
      d.Put(key, MetadataType::kInt64, Encoded(std::numeric_limits<std::int64_t>::min()));
    });
  }
}

void AddTokens(BadModelShelf& shelf) {
  const auto add = [&](const std::string& name, const std::string& names, auto spoil) {
    shelf.Add("a4-" + name, names, [&](GgufDraft& d) {
      std::vector<std::string> tokens = GoodTokens();
      std::vector<std::int32_t> types = GoodTypes();
      spoil(tokens, types);
      d.Put(kTokens, MetadataType::kArray, EncodedTexts(tokens));
      d.Put(kTypes, MetadataType::kArray, EncodedArray(MetadataType::kInt32, types));
    });
  };
  add("no-tokens", kTokens, [](auto& tokens, auto& types) { tokens.clear(), types.clear(); });
  add("a-token-type-too-few", kTypes, [](auto&, auto& types) { types.pop_back(); });
  add("a-token-type-too-many", kTypes, [](auto&, auto& types) { types.push_back(1); });
  add("no-token-types", kTypes, [](auto&, auto& types) { types.clear(); });
  for (const std::int32_t type :
       {0, 7, -1, 255, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()}) {
    add("token-type-" + std::to_string(type), kTypes, [=](auto&, auto& types) { types[5] = type; });
    add("last-token-type-" + std::to_string(type), kTypes, [=](auto&, auto& types) { types.back() = type; });
  }
  add("a-token-twice", kTokens, [](auto& tokens, auto&) { tokens[1] = tokens[0]; });
  add("a-control-token-twice", kTokens, [](auto& tokens, auto&) { tokens[258] = tokens[257]; });
  add("two-empty-tokens", kTokens, [](auto& tokens, auto&) { tokens[1].clear(), tokens[2].clear(); });
  add("a-control-token-without-a-name", kTokens, [](auto& tokens, auto&) { tokens[257].clear(); });
  add("a-control-token-of-257-bytes", kTokens, [](auto& tokens, auto&) { tokens[257].assign(257, 'c'); });
  add("a-user-defined-token-without-a-name", kTokens,
      [](auto& tokens, auto& types) { tokens[9].clear(), types[9] = 4; });
  add("a-user-defined-token-of-a-megabyte", kTokens,
      [](auto& tokens, auto& types) { tokens[9].assign(1 << 20, 'u'), types[9] = 4; });
  add("a-token-more-than-the-embedding-has-rows", "embedding",
      [](auto& tokens, auto& types) { tokens.emplace_back("more"), types.push_back(1); });
  add("100000-tokens-more", "embedding", [](auto& tokens, auto& types) {
    for (int i = 0; i < 100'000; ++i) tokens.push_back("more" + std::to_string(i)), types.push_back(1);
  });
  for (const char* model : {"", "bert", "t5", "GPT2", "gpt2\n", "rwkv\033[2J"}) {
    shelf.Add("a4-tokenizer-model-" + std::to_string(std::string_view(model).size()) + "-" +
                  std::to_string(static_cast<unsigned char>(model[0])),
              "tokenizer.ggml.model",
              [=](GgufDraft& d) { d.Put("tokenizer.ggml.model", MetadataType::kString, EncodedText(model)); });
  }
  for (const std::string& pre : {std::string(), std::string("smollm\0", 7), std::string(1 << 20, 'p')}) {
    shelf.Add("a4-pre-tokenizer-of-" + std::to_string(pre.size()), "tokenizer.ggml.pre",
              [&](GgufDraft& d) { d.Put("tokenizer.ggml.pre", MetadataType::kString, EncodedText(pre)); });
  }
}

void AddMerges(BadModelShelf& shelf) {
  const std::pair<const char*, std::string> merges[] = {{"empty", ""},
                                                        {"of-a-space", " "},
                                                        {"of-two-spaces", "  "},
                                                        {"of-one-token", "a"},
                                                        {"without-a-right-side", "a "},
                                                        {"without-a-left-side", " a"},
                                                        {"of-three-tokens", "a b c"},
                                                        {"of-an-unknown-token", "a zz"},
                                                        {"that-makes-an-unknown-token", "a b"},
                                                        {"of-a-control-token", "<|im_start|> a"},
                                                        {"of-two-control-tokens", "<|im_start|> <|im_end|>"},
                                                        {"not-utf-8", "\xff \xfe"},
                                                        {"of-zeros", std::string("\0 \0", 3)},
                                                        {"of-a-megabyte", std::string(1 << 20, 'a')}};
  for (const auto& [name, merge] : merges) {
    shelf.Add("a4-merge-" + std::string(name), kMerges,
              [&, merge = merge](GgufDraft& d) { d.Put(kMerges, MetadataType::kArray, EncodedTexts({merge})); });
  }
  shelf.Add("a4-merge-that-spells-a-control-token", kMerges, [](GgufDraft& d) {
    std::vector<std::string> tokens = GoodTokens();
    tokens[256] = "ab";
    d.Put(kTokens, MetadataType::kArray, EncodedTexts(tokens));
    d.Put(kMerges, MetadataType::kArray, EncodedTexts({"a b"}));
  });
}

void AddMissing(BadModelShelf& shelf) {
  for (const char* key :
       {"general.architecture", "llama.block_count", "llama.context_length", "llama.embedding_length",
        "llama.feed_forward_length", "llama.attention.head_count", "llama.attention.layer_norm_rms_epsilon",
        "tokenizer.ggml.model", "tokenizer.ggml.pre", kTokens, kTypes, kMerges}) {
    shelf.Add("a4-without-" + std::string(key), key, [=](GgufDraft& d) { d.Remove(key); });
  }
}

}  // namespace

void AddBadVocabularies(BadModelShelf& shelf) {
  AddIds(shelf);
  AddTokens(shelf);
  AddMerges(shelf);
  AddMissing(shelf);
}

void AddBadTemplates(BadModelShelf& shelf) {
  const auto repeated = [](const char* text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  constexpr int kDeep = 100'000;
  const std::pair<const char*, std::string> templates[] = {
      {"not-utf-8", "{{ 'a\xff' }}"},
      {"unclosed-expression", "{{ messages"},
      {"unclosed-statement", "{% if true"},
      {"unclosed-block", "{% for m in messages %}x"},
      {"unclosed-string", "{{ 'abc }}"},
      {"unclosed-comment", "{# abc"},
      {"unclosed-raw", "{% raw %} {{"},
      {"end-without-a-block", "{% endfor %}"},
      {"else-without-an-if", "{% else %}"},
      {"unknown-statement", "{% launch 'x' %}"},
      {"include", "{% include '/etc/passwd' %}"},
      {"import", "{% import 'os' as os %}"},
      {"extends", "{% extends 'base' %}"},
      {"empty-expression", "{{ }}"},
      {"operator-without-operand", "{{ 1 + }}"},
      {"number-that-overflows", "{{ 99999999999999999999999999 }}"},
      {"parentheses", "{{ " + repeated("(", kDeep) + "1" + repeated(")", kDeep) + " }}"},
      {"brackets", "{{ " + repeated("[", kDeep) + repeated("]", kDeep) + " }}"},
      {"braces", "{{ " + repeated("{'a':", kDeep) + "1" + repeated("}", kDeep) + " }}"},
      {"nots", "{{ " + repeated("not ", kDeep) + "true }}"},
      {"minuses", "{{ " + repeated("-", kDeep) + "1 }}"},
      {"nested-ifs", repeated("{% if true %}", kDeep / 2) + repeated("{% endif %}", kDeep / 2)},
      {"nested-fors", repeated("{% for m in messages %}", kDeep / 4) + repeated("{% endfor %}", kDeep / 4)},
      {"ternaries", "{{ " + repeated("1 if true else ", kDeep / 2) + "1 }}"},
      {"powers", "{{ " + repeated("2 ** ", kDeep) + "2 }}"},
      {"two-megabytes", std::string(2 << 20, 'x')},
  };
  for (const auto& [name, source] : templates) {
    shelf.Add("a4-template-" + std::string(name), "tokenizer.chat_template", [&, source = source](GgufDraft& d) {
      d.Put("tokenizer.chat_template", MetadataType::kString, EncodedText(source));
    });
  }
}

}  // namespace engine
