#include "libs/model/decoder_weights.h"

#include <cmath>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kernels/quant/dequantize.h"

namespace model {

kernels::WeightFormat WeightFormatOf(tensor::DType dtype) {
  switch (dtype) {
    case tensor::DType::kF32:
      return kernels::WeightFormat::kF32;
    case tensor::DType::kF16:
      return kernels::WeightFormat::kF16;
    case tensor::DType::kBF16:
      return kernels::WeightFormat::kBF16;
    case tensor::DType::kQ8_0:
      return kernels::WeightFormat::kQ8_0;
    case tensor::DType::kQ4_0:
      return kernels::WeightFormat::kQ4_0;
    case tensor::DType::kQ4_1:
      return kernels::WeightFormat::kQ4_1;
    case tensor::DType::kQ5_0:
      return kernels::WeightFormat::kQ5_0;
    case tensor::DType::kQ5_1:
      return kernels::WeightFormat::kQ5_1;
    case tensor::DType::kQ4_K:
      return kernels::WeightFormat::kQ4_K;
    case tensor::DType::kQ5_K:
      return kernels::WeightFormat::kQ5_K;
    case tensor::DType::kQ6_K:
      return kernels::WeightFormat::kQ6_K;
  }
  return kernels::WeightFormat::kF32;
}

namespace {

// Takes tensors by name and keeps the first error.
class Taker {
 public:
  explicit Taker(const tensor::GgufFile& file) : file_(file) {}

  WeightMatrix Matrix(const std::string& name, std::int64_t rows, std::int64_t cols) {
    const tensor::Tensor* tensor = Take(name, {static_cast<std::uint64_t>(cols), static_cast<std::uint64_t>(rows)});
    if (tensor == nullptr) return {};
    return {reinterpret_cast<const std::uint8_t*>(tensor->data.data()), WeightFormatOf(tensor->dtype), rows, cols};
  }

  std::vector<float> Vector(const std::string& name, std::int64_t length) {
    const tensor::Tensor* tensor = Take(name, {static_cast<std::uint64_t>(length)});
    if (tensor == nullptr) return {};
    std::vector<float> values(static_cast<std::size_t>(length));
    kernels::DequantizeRowRef(WeightFormatOf(tensor->dtype), reinterpret_cast<const std::uint8_t*>(tensor->data.data()),
                              length, values.data());
    return values;
  }

  // Positive and finite, since something is divided by them.
  std::vector<float> Divisors(const std::string& name, std::int64_t length) {
    std::vector<float> values = Vector(name, length);
    for (float value : values) {
      if (!(value > 0.0F && std::isfinite(value))) Fail(absl::StrCat("tensor ", name, " has the divisor ", value));
    }
    return values;
  }

  // Vectors one after the other.
  std::vector<float> Vectors(const std::vector<std::pair<std::string, std::int64_t>>& names_and_lengths) {
    std::vector<float> values;
    for (const auto& [name, length] : names_and_lengths) {
      const std::vector<float> part = Vector(name, length);
      values.insert(values.end(), part.begin(), part.end());
    }
    return values;
  }

  bool Has(const std::string& name) const { return file_.FindTensor(name) != nullptr; }

  absl::Status Finish(Architecture architecture) const {
    if (!status_.ok()) return status_;
    for (const tensor::Tensor& tensor : file_.tensors()) {
      if (!taken_.contains(tensor.name)) {
        return absl::FailedPreconditionError(
            absl::StrCat("tensor ", std::string(tensor.name), " is not part of the supported ",
                         std::string(ArchitectureName(architecture)), " architecture"));
      }
    }
    return absl::OkStatus();
  }

 private:
  const tensor::Tensor* Take(const std::string& name, const std::vector<std::uint64_t>& shape) {
    const tensor::Tensor* tensor = file_.FindTensor(name);
    if (tensor == nullptr) {
      Fail(absl::StrCat("the model has no tensor ", name));
      return nullptr;
    }
    if (tensor->shape != shape) {
      Fail(absl::StrCat("tensor ", name, " has shape [", absl::StrJoin(tensor->shape, ", "),
                        "], the hyper-parameters say [", absl::StrJoin(shape, ", "), "]"));
      return nullptr;
    }
    taken_.insert(tensor->name);
    return tensor;
  }

  void Fail(const std::string& message) {
    if (status_.ok()) status_ = absl::FailedPreconditionError(message);
  }

  const tensor::GgufFile& file_;
  absl::flat_hash_set<std::string_view> taken_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<DecoderWeights> DecoderWeights::FromGguf(const tensor::GgufFile& file, const DecoderConfig& config) {
  Taker taker(file);
  DecoderWeights weights;
  weights.token_embedding = taker.Matrix("token_embd.weight", config.vocabulary, config.width);
  if (taker.Has("rope_freqs.weight") && config.architecture == Architecture::kLlama) {
    weights.rope_pair_divisors = taker.Divisors("rope_freqs.weight", config.head_dim / 2);
  }
  weights.output_norm = taker.Vector("output_norm.weight", config.width);
  weights.output = taker.Has("output.weight") ? taker.Matrix("output.weight", config.vocabulary, config.width)
                                              : weights.token_embedding;
  for (std::int32_t i = 0; i < config.layers; ++i) {
    const std::string prefix = absl::StrCat("blk.", i, ".");
    DecoderLayer& layer = weights.layers.emplace_back();
    layer.attention_norm = taker.Vector(prefix + "attn_norm.weight", config.width);
    layer.q = taker.Matrix(prefix + "attn_q.weight", config.q_width(), config.width);
    layer.k = taker.Matrix(prefix + "attn_k.weight", config.kv_width(), config.width);
    layer.v = taker.Matrix(prefix + "attn_v.weight", config.kv_width(), config.width);
    if (config.qkv_bias) {
      layer.qkv_bias = taker.Vectors({{prefix + "attn_q.bias", config.q_width()},
                                      {prefix + "attn_k.bias", config.kv_width()},
                                      {prefix + "attn_v.bias", config.kv_width()}});
    }
    if (config.qk_norm) {
      layer.q_norm = taker.Vector(prefix + "attn_q_norm.weight", config.head_dim);
      layer.k_norm = taker.Vector(prefix + "attn_k_norm.weight", config.head_dim);
    }
    layer.attention_output = taker.Matrix(prefix + "attn_output.weight", config.width, config.q_width());
    layer.ffn_norm = taker.Vector(prefix + "ffn_norm.weight", config.width);
    layer.gate = taker.Matrix(prefix + "ffn_gate.weight", config.ffn_width, config.width);
    layer.up = taker.Matrix(prefix + "ffn_up.weight", config.ffn_width, config.width);
    layer.down = taker.Matrix(prefix + "ffn_down.weight", config.width, config.ffn_width);
    if (config.post_norms) {
      layer.post_attention_norm = taker.Vector(prefix + "post_attention_norm.weight", config.width);
      layer.post_ffn_norm = taker.Vector(prefix + "post_ffw_norm.weight", config.width);
    }
  }
  absl::Status status = taker.Finish(config.architecture);
  if (!status.ok()) return status;
  return weights;
}

}  // namespace model
