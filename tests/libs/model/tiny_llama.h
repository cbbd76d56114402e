#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/quant/half.h"
#include "kernels/quant/weight_format.h"
#include "libs/tensor/gguf.h"
#include "tests/libs/tensor/gguf_builder.h"

namespace model {

// A model file in memory with random weights, small enough for unit tests: a Llama, or what else `architecture` names.
// Everything that a test may want to get wrong is a field or a hook.
struct TinyLlama {
  std::uint32_t layers = 2, width = 64, heads = 4, kv_heads = 2, ffn_width = 96, vocabulary = 83, context = 512;
  tensor::DType dtype = tensor::DType::kQ4_1;  // of the matrices
  bool tied = true;                            // no output.weight
  std::uint32_t seed = 1;
  std::string architecture = "llama";  // "qwen2", "qwen3" and "gemma3" add their tensors
  std::uint32_t window = 0;            // of Gemma 3

  struct Entry {
    std::string name;
    std::vector<std::uint64_t> shape;
    tensor::DType dtype;
  };
  // Runs over metadata or tensor list before they are written.
  std::function<void(std::vector<std::pair<std::string, double>>&)> edit_metadata{};
  std::function<void(std::vector<Entry>&)> edit_tensors{};
  std::function<void(tensor::GgufBuilder&)> extra_metadata{};  // writes extra_entries entries
  std::uint64_t extra_entries = 0;

  std::string Bytes() const {
    std::vector<std::pair<std::string, double>> metadata = {
        {"block_count", layers},         {"context_length", context},
        {"embedding_length", width},     {"feed_forward_length", ffn_width},
        {"attention.head_count", heads}, {"attention.head_count_kv", kv_heads},
        {"rope.freq_base", 10000.0},     {"attention.layer_norm_rms_epsilon", 1e-5}};
    if (window > 0) metadata.emplace_back("attention.sliding_window", window);
    if (edit_metadata) edit_metadata(metadata);
    std::vector<Entry> tensors = Tensors();
    if (edit_tensors) edit_tensors(tensors);

    tensor::GgufBuilder builder;
    builder.Header(tensors.size(), metadata.size() + 1 + extra_entries);
    builder.Key("general.architecture", tensor::MetadataType::kString).Text(architecture);
    for (const auto& [key, value] : metadata) {
      const bool real = key.starts_with("rope.freq_base") || key == "attention.layer_norm_rms_epsilon" ||
                        key == "rope.scaling.factor" || key.ends_with("softcapping");
      builder.Key(architecture + "." + key, real ? tensor::MetadataType::kFloat32 : tensor::MetadataType::kUint32);
      if (real) {
        builder.Put(static_cast<float>(value));
      } else {
        builder.Put(static_cast<std::uint32_t>(value));
      }
    }
    if (extra_metadata) extra_metadata(builder);
    std::uint64_t offset = 0;
    for (const Entry& entry : tensors) {
      builder.TensorEntry(entry.name, entry.shape, static_cast<std::uint32_t>(entry.dtype), offset);
      offset = (offset + DataBytes(entry) + 31) / 32 * 32;
    }
    std::mt19937 rng(seed);
    for (const Entry& entry : tensors) builder.AlignTo(32).Raw(Data(entry, rng));
    return builder.AlignTo(32).bytes();
  }

  static std::uint64_t DataBytes(const Entry& entry) {
    std::uint64_t bytes = *tensor::RowBytes(entry.dtype, entry.shape[0]);
    for (std::size_t i = 1; i < entry.shape.size(); ++i) bytes *= entry.shape[i];
    return bytes;
  }

 private:
  // Spread of random payloads in units of the block's F16 scale, and the offset that centres them, 0 for formats
  // without.
  static std::pair<float, float> ScaleOf(tensor::DType dtype) {
    switch (dtype) {
      case tensor::DType::kQ8_0:
        return {74.0F, 0.0F};
      case tensor::DType::kQ4_1:
        return {4.6F, -7.5F};
      case tensor::DType::kQ5_0:
        return {9.2F, 0.0F};
      case tensor::DType::kQ5_1:
        return {9.2F, -15.5F};
      case tensor::DType::kQ4_K:
        return {4.6F * 64, 7.5F};
      case tensor::DType::kQ5_K:
        return {9.2F * 64, 15.5F};
      case tensor::DType::kQ6_K:
        return {18.5F * 74, 0.0F};
      default:
        return {4.6F, 0.0F};
    }
  }

  std::vector<Entry> Tensors() const {
    const std::uint64_t head_dim = width / heads, kv_width = head_dim * kv_heads;
    std::vector<Entry> tensors = {{"token_embd.weight", {width, vocabulary}, tensor::DType::kF16},
                                  {"output_norm.weight", {width}, tensor::DType::kF32}};
    if (!tied) tensors.push_back({"output.weight", {width, vocabulary}, dtype});
    for (std::uint32_t i = 0; i < layers; ++i) {
      const std::string prefix = "blk." + std::to_string(i) + ".";
      tensors.push_back({prefix + "attn_norm.weight", {width}, tensor::DType::kF32});
      tensors.push_back({prefix + "attn_q.weight", {width, width}, dtype});
      tensors.push_back({prefix + "attn_k.weight", {width, kv_width}, dtype});
      tensors.push_back({prefix + "attn_v.weight", {width, kv_width}, dtype});
      tensors.push_back({prefix + "attn_output.weight", {width, width}, dtype});
      tensors.push_back({prefix + "ffn_norm.weight", {width}, tensor::DType::kF32});
      tensors.push_back({prefix + "ffn_gate.weight", {width, ffn_width}, dtype});
      tensors.push_back({prefix + "ffn_up.weight", {width, ffn_width}, dtype});
      tensors.push_back({prefix + "ffn_down.weight", {ffn_width, width}, dtype});
      if (architecture == "qwen2") {
        tensors.push_back({prefix + "attn_q.bias", {width}, tensor::DType::kF32});
        tensors.push_back({prefix + "attn_k.bias", {kv_width}, tensor::DType::kF32});
        tensors.push_back({prefix + "attn_v.bias", {kv_width}, tensor::DType::kF32});
      }
      if (architecture == "qwen3" || architecture == "gemma3") {
        tensors.push_back({prefix + "attn_q_norm.weight", {head_dim}, tensor::DType::kF32});
        tensors.push_back({prefix + "attn_k_norm.weight", {head_dim}, tensor::DType::kF32});
      }
      if (architecture == "gemma3") {
        tensors.push_back({prefix + "post_attention_norm.weight", {width}, tensor::DType::kF32});
        tensors.push_back({prefix + "post_ffw_norm.weight", {width}, tensor::DType::kF32});
      }
    }
    return tensors;
  }

  // Random weights of spread 1 / sqrt(width), so that activations neither vanish nor explode; norms near 1; divisors of
  // rotary angles 1 to 32, each pair's another one.
  std::string Data(const Entry& entry, std::mt19937& rng) const {
    std::normal_distribution<float> normal(0.0F, 1.0F / std::sqrt(static_cast<float>(width)));
    std::string data(DataBytes(entry), '\0');
    const auto put = [&](std::size_t at, auto value) { std::memcpy(data.data() + at, &value, sizeof(value)); };
    if (entry.name == "rope_freqs.weight" && entry.dtype == tensor::DType::kF32) {
      for (std::size_t i = 0; i < data.size(); i += 4) put(i, static_cast<float>(1 + i / 4 * 7 % 32));
      return data;
    }
    switch (entry.dtype) {
      case tensor::DType::kF32:
        for (std::size_t i = 0; i < data.size(); i += 4)
          put(i, entry.shape.size() == 1 ? 1.0F + normal(rng) : normal(rng));
        return data;
      case tensor::DType::kF16:
        for (std::size_t i = 0; i < data.size(); i += 2) put(i, kernels::FloatToHalf(normal(rng)));
        return data;
      case tensor::DType::kBF16:
        for (std::size_t i = 0; i < data.size(); i += 2) {
          const float value = normal(rng);
          std::uint32_t bits;
          std::memcpy(&bits, &value, 4);
          put(i, static_cast<std::uint16_t>(bits >> 16));
        }
        return data;
      default:
        break;
    }
    // Quantised: random payload; the scale gives the spread, and the offset (dmin in the K formats) centres it.
    for (char& byte : data) byte = static_cast<char>(rng());
    const float spread = 1.0F / std::sqrt(static_cast<float>(width));
    const auto [divisor, offset] = ScaleOf(entry.dtype);
    const float scale = spread / divisor;
    const tensor::BlockLayout layout = tensor::LayoutOf(entry.dtype);
    for (std::size_t block = 0; block < data.size(); block += layout.bytes) {
      put(block + (entry.dtype == tensor::DType::kQ6_K ? 208 : 0), kernels::FloatToHalf(scale));
      if (offset != 0.0F) put(block + 2, kernels::FloatToHalf(offset * scale));
    }
    return data;
  }
};

// The parsed file together with its bytes.
inline std::shared_ptr<const tensor::GgufFile> ParseTiny(const TinyLlama& tiny) {
  struct Holder {
    std::string bytes;
    std::unique_ptr<tensor::GgufFile> file;
  };
  auto holder = std::make_shared<Holder>();
  holder->bytes = tiny.Bytes();
  auto file = tensor::GgufFile::Parse(tensor::AsBytes(holder->bytes));
  if (!file.ok()) return nullptr;
  holder->file = *std::move(file);
  return {holder, holder->file.get()};
}

}  // namespace model
