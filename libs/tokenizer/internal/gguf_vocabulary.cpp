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

}  // namespace

absl::StatusOr<VocabularySpec> VocabularySpecOf(const tensor::GgufFile& file) {
  VocabularySpec spec;
  const auto model = file.GetString("tokenizer.ggml.model");
  if (!model.ok()) return model.status();
  spec.model = *model;
  const auto pre = file.GetString("tokenizer.ggml.pre");
  if (!pre.ok()) return pre.status();
  spec.pre = *pre;
  auto tokens = file.GetStringArray("tokenizer.ggml.tokens");
  if (!tokens.ok()) return tokens.status();
  spec.tokens = *std::move(tokens);
  auto types = file.GetInt32Array("tokenizer.ggml.token_type");
  if (!types.ok()) return types.status();
  spec.token_types = *std::move(types);
  auto merges = file.GetStringArray("tokenizer.ggml.merges");
  if (!merges.ok()) return merges.status();
  spec.merges = *std::move(merges);
  const auto bos = OptionalId(file, "tokenizer.ggml.bos_token_id");
  if (!bos.ok()) return bos.status();
  spec.bos_id = *bos;
  const auto eos = OptionalId(file, "tokenizer.ggml.eos_token_id");
  if (!eos.ok()) return eos.status();
  spec.eos_id = *eos;
  const auto eot = OptionalId(file, "tokenizer.ggml.eot_token_id");
  if (!eot.ok()) return eot.status();
  spec.eot_id = *eot;
  if (file.Has("tokenizer.ggml.add_bos_token")) {
    const auto add_bos = file.GetBool("tokenizer.ggml.add_bos_token");
    if (!add_bos.ok()) return add_bos.status();
    spec.add_bos = *add_bos;
  }
  return spec;
}

}  // namespace tokenizer
