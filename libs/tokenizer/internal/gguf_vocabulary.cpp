#include "libs/tokenizer/internal/gguf_vocabulary.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace tokenizer {
namespace {

// An id that a file may leave out; present but of another type is an error.
absl::StatusOr<std::optional<std::uint64_t>> OptionalId(const tensor::GgufFile& file, std::string_view key) {
  if (!file.Has(key)) return std::optional<std::uint64_t>();
  absl::StatusOr<std::uint64_t> id = file.GetUint(key);
  if (!id.ok()) return id.status();
  return std::optional<std::uint64_t>(*id);
}

absl::StatusOr<bool> OptionalBool(const tensor::GgufFile& file, std::string_view key, bool otherwise) {
  if (!file.Has(key)) return otherwise;
  return file.GetBool(key);
}

}  // namespace

absl::StatusOr<VocabularySpec> VocabularySpecOf(const tensor::GgufFile& file) {
  VocabularySpec spec;
  const auto model = file.GetString("tokenizer.ggml.model");
  if (!model.ok()) return model.status();
  spec.model = *model;
  const bool pieces = spec.model == "llama";
  if (!pieces || file.Has("tokenizer.ggml.pre")) {
    const auto pre = file.GetString("tokenizer.ggml.pre");
    if (!pre.ok()) return pre.status();
    spec.pre = *pre;
  }
  auto tokens = file.GetStringArray("tokenizer.ggml.tokens");
  if (!tokens.ok()) return tokens.status();
  spec.tokens = *std::move(tokens);
  auto types = file.GetInt32Array("tokenizer.ggml.token_type");
  if (!types.ok()) return types.status();
  spec.token_types = *std::move(types);
  if (pieces) {
    auto scores = file.GetFloat32Array("tokenizer.ggml.scores");
    if (!scores.ok()) return scores.status();
    spec.scores = *std::move(scores);
  } else {
    auto merges = file.GetStringArray("tokenizer.ggml.merges");
    if (!merges.ok()) return merges.status();
    spec.merges = *std::move(merges);
  }
  const auto bos = OptionalId(file, "tokenizer.ggml.bos_token_id");
  if (!bos.ok()) return bos.status();
  spec.bos_id = *bos;
  const auto eos = OptionalId(file, "tokenizer.ggml.eos_token_id");
  if (!eos.ok()) return eos.status();
  spec.eos_id = *eos;
  const auto eot = OptionalId(file, "tokenizer.ggml.eot_token_id");
  if (!eot.ok()) return eot.status();
  spec.eot_id = *eot;
  // Where a file is silent, SentencePiece models start with bos and a space, others with neither (as llama.cpp reads
  // them).
  const auto add_bos = OptionalBool(file, "tokenizer.ggml.add_bos_token", pieces);
  if (!add_bos.ok()) return add_bos.status();
  spec.add_bos = *add_bos;
  const auto add_space_prefix = OptionalBool(file, "tokenizer.ggml.add_space_prefix", pieces);
  if (!add_space_prefix.ok()) return add_space_prefix.status();
  spec.add_space_prefix = pieces && *add_space_prefix;
  return spec;
}

}  // namespace tokenizer
