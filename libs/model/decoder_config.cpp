#include "libs/model/decoder_config.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "kernels/kvcache/paged_kv.h"

namespace model {
namespace {

// Reads `llama.*` values and keeps the first error, so that the caller states all of them in a row.
class Reader {
 public:
  explicit Reader(const tensor::GgufFile& file) : file_(file) {}

  std::int32_t Int(const std::string& key, std::int32_t max) { return InRange(key, file_.GetUint(Full(key)), max); }
  std::int32_t IntOr(const std::string& key, std::int32_t fallback, std::int32_t max) {
    return file_.Has(Full(key)) ? Int(key, max) : fallback;
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

  void Fail(const std::string& key, const std::string& reason) {
    if (status_.ok()) status_ = absl::FailedPreconditionError(absl::StrCat("model metadata ", Full(key), ": ", reason));
  }

  void Require(bool condition, const std::string& key, const std::string& reason) {
    if (!condition) Fail(key, reason);
  }

  const absl::Status& status() const { return status_; }

 private:
  static std::string Full(const std::string& key) { return "llama." + key; }

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
  absl::Status status_;
};

// Far above published models, and small enough that no product of two overflows 64 bits.
constexpr std::int32_t kLayersMax = 1024;
constexpr std::int32_t kWidthMax = 1 << 17;
constexpr std::int32_t kHeadsMax = 1024;
constexpr std::int32_t kFfnWidthMax = 1 << 20;
constexpr std::int32_t kVocabularyMax = 1 << 21;
constexpr std::int32_t kContextMax = 1 << 24;

void RefuseVariants(const tensor::GgufFile& file, Reader& reader) {
  if (file.Has("llama.rope.scaling.type")) {
    const auto type = file.GetString("llama.rope.scaling.type");
    reader.Require(type.ok() && *type == "none", "rope.scaling.type", "scaled rotary embeddings are not supported");
  }
  if (file.Has("llama.rope.scale_linear")) {
    const auto scale = file.GetFloat("llama.rope.scale_linear");
    reader.Require(scale.ok() && *scale == 1.0, "rope.scale_linear", "scaled rotary embeddings are not supported");
  }
  if (file.Has("llama.expert_count")) {
    const auto experts = file.GetUint("llama.expert_count");
    reader.Require(experts.ok() && *experts == 0, "expert_count", "mixtures of experts are not supported");
  }
}

}  // namespace

absl::StatusOr<DecoderConfig> DecoderConfig::FromGguf(const tensor::GgufFile& file) {
  const auto architecture = file.GetString("general.architecture");
  if (!architecture.ok()) return absl::FailedPreconditionError(architecture.status().message());
  if (*architecture != "llama") {
    return absl::FailedPreconditionError(
        absl::StrCat("model architecture is ", std::string(*architecture), ", supported is llama"));
  }
  Reader reader(file);
  DecoderConfig config;
  config.layers = reader.Int("block_count", kLayersMax);
  config.width = reader.Int("embedding_length", kWidthMax);
  config.heads = reader.Int("attention.head_count", kHeadsMax);
  config.kv_heads = reader.IntOr("attention.head_count_kv", config.heads, kHeadsMax);
  config.ffn_width = reader.Int("feed_forward_length", kFfnWidthMax);
  config.context_tokens = reader.Int("context_length", kContextMax);
  config.rms_epsilon = reader.Float("attention.layer_norm_rms_epsilon", 0, 1);
  if (file.Has("llama.rope.freq_base")) config.rope_freq_base = reader.Float("rope.freq_base", 1, 1e12);

  config.head_dim = config.width / config.heads;
  if (file.Has("llama.attention.key_length")) {
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
  reader.Require(reader.IntOr("rope.dimension_count", config.head_dim, kWidthMax) == config.head_dim,
                 "rope.dimension_count", "rotating a part of a head is not supported");
  RefuseVariants(file, reader);

  const tensor::Tensor* embedding = file.FindTensor("token_embd.weight");
  if (embedding == nullptr) return absl::FailedPreconditionError("the model has no tensor token_embd.weight");
  if (embedding->rows() > static_cast<std::uint64_t>(kVocabularyMax)) {
    return absl::FailedPreconditionError(absl::StrCat("token_embd.weight has ", embedding->rows(), " rows"));
  }
  config.vocabulary = static_cast<std::int32_t>(embedding->rows());
  if (!reader.status().ok()) return reader.status();
  return config;
}

}  // namespace model
