#include "libs/model/decoder_config.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "kernels/kvcache/paged_kv.h"

namespace model {
namespace {

// Reads the values of one architecture and keeps the first error, so that the caller states all of them in a row.
class Reader {
 public:
  Reader(const tensor::GgufFile& file, std::string_view architecture)
      : file_(file), prefix_(absl::StrCat(std::string(architecture), ".")) {}

  bool Has(const std::string& key) const { return file_.Has(Full(key)); }

  std::int32_t Int(const std::string& key, std::int32_t max) { return InRange(key, file_.GetUint(Full(key)), max); }
  std::int32_t IntOr(const std::string& key, std::int32_t fallback, std::int32_t max) {
    return Has(key) ? Int(key, max) : fallback;
  }

  float Float(const std::string& key, double low, double high) {
    const absl::StatusOr<double> value = file_.GetFloat(Full(key));
    if (!value.ok()) {
      Fail(key, std::string(value.status().message()));
      return 0;
    }
    const auto rounded = static_cast<float>(*value);  // a small number of 64 bits may be 0 in 32
    if (!(rounded > low && rounded < high)) Fail(key, absl::StrCat("is ", *value));
    return rounded;
  }
  float FloatOr(const std::string& key, float fallback, double low, double high) {
    return Has(key) ? Float(key, low, high) : fallback;
  }

  // A number that switches something on which the forward pass does not compute: it must be absent or 0.
  void RefuseUnlessZero(const std::string& key, const std::string& what) {
    if (!Has(key)) return;
    const auto count = file_.GetUint(Full(key));
    const auto real = file_.GetFloat(Full(key));
    if (!(count.ok() && *count == 0) && !(real.ok() && *real == 0.0)) Fail(key, what + " not supported");
  }

  // Empty when there is none.
  std::string Text(const std::string& key) {
    if (!Has(key)) return "";
    const auto text = file_.GetString(Full(key));
    if (!text.ok()) Fail(key, std::string(text.status().message()));
    return text.ok() ? std::string(*text) : "";
  }

  void Fail(const std::string& key, const std::string& reason) {
    if (status_.ok()) status_ = absl::FailedPreconditionError(absl::StrCat("model metadata ", Full(key), ": ", reason));
  }

  void Require(bool condition, const std::string& key, const std::string& reason) {
    if (!condition) Fail(key, reason);
  }

  const absl::Status& status() const { return status_; }

 private:
  std::string Full(const std::string& key) const { return prefix_ + key; }

  std::int32_t InRange(const std::string& key, const absl::StatusOr<std::uint64_t>& value, std::int32_t max) {
    if (!value.ok()) {
      Fail(key, std::string(value.status().message()));
      return 1;
    }
    if (*value < 1 || *value > static_cast<std::uint64_t>(max)) {
      Fail(key, absl::StrCat("is ", *value, ", must be in [1, ", max, "]"));
      return 1;
    }
    return static_cast<std::int32_t>(*value);
  }

  const tensor::GgufFile& file_;
  const std::string prefix_;
  absl::Status status_;
};

// Far above published models, and small enough that no product of two overflows 64 bits.
constexpr std::int32_t kLayersMax = 1024;
constexpr std::int32_t kWidthMax = 1 << 17;
constexpr std::int32_t kHeadsMax = 1024;
constexpr std::int32_t kFfnWidthMax = 1 << 20;
constexpr std::int32_t kVocabularyMax = 1 << 21;
constexpr std::int32_t kContextMax = 1 << 24;

constexpr struct {
  Architecture architecture;
  std::string_view name;
} kArchitectures[] = {{Architecture::kLlama, "llama"},
                      {Architecture::kQwen2, "qwen2"},
                      {Architecture::kQwen3, "qwen3"},
                      {Architecture::kGemma3, "gemma3"}};

// A name from the file, safe to print.
std::string Shown(std::string_view name) {
  return absl::CHexEscape({name.data(), std::min<std::size_t>(name.size(), 64)});
}

absl::StatusOr<Architecture> ArchitectureOf(const tensor::GgufFile& file) {
  const auto name = file.GetString("general.architecture");
  if (!name.ok()) return absl::FailedPreconditionError(name.status().message());
  std::string known;
  for (const auto& entry : kArchitectures) {
    if (entry.name == *name) return entry.architecture;
    absl::StrAppend(&known, known.empty() ? "" : ", ", std::string(entry.name));
  }
  return absl::FailedPreconditionError(absl::StrCat("model architecture is ", Shown(*name), ", supported are ", known));
}

void ReadShape(Reader& reader, DecoderConfig& config) {
  config.layers = reader.Int("block_count", kLayersMax);
  config.width = reader.Int("embedding_length", kWidthMax);
  config.heads = reader.Int("attention.head_count", kHeadsMax);
  config.kv_heads = reader.IntOr("attention.head_count_kv", config.heads, kHeadsMax);
  config.ffn_width = reader.Int("feed_forward_length", kFfnWidthMax);
  config.context_tokens = reader.Int("context_length", kContextMax);
  config.rms_epsilon = reader.Float("attention.layer_norm_rms_epsilon", 0, 1);

  config.head_dim = config.width / config.heads;
  if (reader.Has("attention.key_length")) {
    config.head_dim = reader.Int("attention.key_length", kernels::kHeadDimMax);
  } else {
    reader.Require(config.width % config.heads == 0, "attention.head_count", "does not divide embedding_length");
  }
  reader.Require(config.heads % config.kv_heads == 0, "attention.head_count_kv", "does not divide head_count");
  reader.Require(config.head_dim % 16 == 0 && config.head_dim > 0 && config.head_dim <= kernels::kHeadDimMax,
                 "attention.head_count",
                 absl::StrCat("gives heads of ", config.head_dim, " values; a multiple of 16 up to ",
                              kernels::kHeadDimMax, " is supported"));
  reader.Require(reader.IntOr("attention.value_length", config.head_dim, kWidthMax) == config.head_dim,
                 "attention.value_length", "differs from the keys' length");
}

void ReadRotation(Reader& reader, DecoderConfig& config) {
  config.rope_freq_base = reader.FloatOr("rope.freq_base", config.rope_freq_base, 1, 1e12);
  reader.Require(reader.IntOr("rope.dimension_count", config.head_dim, kWidthMax) == config.head_dim,
                 "rope.dimension_count", "rotating a part of a head is not supported");
  const std::string scaling = reader.Text("rope.scaling.type");
  reader.Require(scaling.empty() || scaling == "none" || scaling == "linear", "rope.scaling.type",
                 absl::StrCat("is ", Shown(scaling), "; none and linear are supported"));
  if (scaling == "none") return;
  if (scaling == "linear" || reader.Has("rope.scaling.factor")) {
    config.rope_position_divisor = reader.Float("rope.scaling.factor", 0, 1e6);
  } else {  // the key of the format's first version
    config.rope_position_divisor = reader.FloatOr("rope.scale_linear", 1, 0, 1e6);
  }
}

void RefuseVariants(Reader& reader) {
  reader.RefuseUnlessZero("expert_count", "mixtures of experts are");
  reader.RefuseUnlessZero("attn_logit_softcapping", "a soft cap on attention is");
  reader.RefuseUnlessZero("final_logit_softcapping", "a soft cap on logits is");
}

void AddGemma3(Reader& reader, DecoderConfig& config) {
  config.qk_norm = config.post_norms = true;
  config.gate = kernels::GateActivation::kGelu;
  // In F32, as the published implementation computes for F32 weights.
  config.embedding_scale = std::sqrt(static_cast<float>(config.width));
  // The published scale is that of the heads, but for the 27B model, whose metadata do not say so: it is known by its
  // 62 layers and takes that of width / heads (query_pre_attn_scalar of its configuration).
  constexpr std::int32_t kLayersOf27B = 62;
  if (config.layers == kLayersOf27B) {
    config.attention_scale = 1.0F / std::sqrt(static_cast<float>(config.width / config.heads));
  }
  if (!reader.Has("attention.sliding_window")) return;
  config.window = reader.Int("attention.sliding_window", kContextMax);
  config.window_period = reader.IntOr("attention.sliding_window_pattern", 6, kLayersMax);
  config.local_rope_freq_base = reader.FloatOr("rope.freq_base_swa", config.local_rope_freq_base, 1, 1e12);
}

// What the architecture adds to the plain layer.
void AddArchitecture(Reader& reader, DecoderConfig& config) {
  config.attention_scale = 1.0F / std::sqrt(static_cast<float>(config.head_dim));
  if (config.architecture != Architecture::kLlama) config.rope_pairs = kernels::RopePairs::kHalves;
  if (config.architecture != Architecture::kGemma3) {
    reader.RefuseUnlessZero("attention.sliding_window", "a sliding window in this architecture is");
  }
  switch (config.architecture) {
    case Architecture::kLlama:
      break;
    case Architecture::kQwen2:
      config.qkv_bias = true;
      break;
    case Architecture::kQwen3:
      config.qk_norm = true;
      break;
    case Architecture::kGemma3:
      AddGemma3(reader, config);
      break;
  }
}

}  // namespace

std::string_view ArchitectureName(Architecture architecture) {
  for (const auto& entry : kArchitectures) {
    if (entry.architecture == architecture) return entry.name;
  }
  return "unknown";
}

absl::StatusOr<DecoderConfig> DecoderConfig::FromGguf(const tensor::GgufFile& file) {
  const absl::StatusOr<Architecture> architecture = ArchitectureOf(file);
  if (!architecture.ok()) return architecture.status();
  const tensor::Tensor* embedding = file.FindTensor("token_embd.weight");
  if (embedding == nullptr) return absl::FailedPreconditionError("the model has no tensor token_embd.weight");
  if (embedding->rows() > static_cast<std::uint64_t>(kVocabularyMax)) {
    return absl::FailedPreconditionError(absl::StrCat("token_embd.weight has ", embedding->rows(), " rows"));
  }
  DecoderConfig config{.architecture = *architecture, .vocabulary = static_cast<std::int32_t>(embedding->rows())};
  Reader reader(file, ArchitectureName(*architecture));
  ReadShape(reader, config);
  ReadRotation(reader, config);
  AddArchitecture(reader, config);
  RefuseVariants(reader);
  if (!reader.status().ok()) return reader.status();
  return config;
}

}  // namespace model
