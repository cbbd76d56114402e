#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/quant/dequantize.h"
#include "libs/model/decoder_config.h"
#include "libs/model/decoder_weights.h"
#include "libs/tensor/gguf.h"

namespace model {

// A Llama forward pass as one would write it on paper: one sequence, no cache, no blocks, everything in double. It
// shares only the dequantisation with the code under test.
class PlainForward {
 public:
  using Row = std::vector<double>;

  PlainForward(const tensor::GgufFile& file, const DecoderConfig& config) : file_(file), config_(config) {
    if (file.FindTensor("rope_freqs.weight") != nullptr) rope_pair_divisors_ = Matrix("rope_freqs.weight")[0];
  }

  // Logits after the last of `tokens`.
  Row Logits(const std::vector<std::int32_t>& tokens) const {
    std::vector<Row> x;
    const std::vector<Row> embedding = Matrix("token_embd.weight");
    for (std::int32_t token : tokens) x.push_back(embedding[static_cast<std::size_t>(token)]);
    for (std::int32_t layer = 0; layer < config_.layers; ++layer) {
      const std::string prefix = "blk." + std::to_string(layer) + ".";
      AddAttention(prefix, x);
      AddFeedForward(prefix, x);
    }
    const bool tied = file_.FindTensor("output.weight") == nullptr;
    return Times(tied ? embedding : Matrix("output.weight"), Norm("output_norm.weight", x.back()));
  }

 private:
  std::vector<Row> Matrix(const std::string& name) const {
    const tensor::Tensor& tensor = **file_.GetTensor(name);
    const kernels::WeightFormat format = WeightFormatOf(tensor.dtype);
    std::vector<Row> rows;
    std::vector<float> row(tensor.cols());
    for (std::uint64_t r = 0; r < tensor.rows(); ++r) {
      kernels::DequantizeRowRef(format,
                                reinterpret_cast<const std::uint8_t*>(tensor.data.data()) + r * tensor.row_bytes,
                                static_cast<std::int64_t>(row.size()), row.data());
      rows.emplace_back(row.begin(), row.end());
    }
    return rows;
  }

  static Row Times(const std::vector<Row>& w, const Row& x) {
    Row y;
    for (const Row& row : w) {
      y.push_back(0.0);
      for (std::size_t i = 0; i < x.size(); ++i) y.back() += row[i] * x[i];
    }
    return y;
  }

  Row Norm(const std::string& name, Row x) const {
    const Row weight = Matrix(name)[0];
    double squares = 0.0;
    for (double value : x) squares += value * value;
    const double scale =
        1.0 / std::sqrt(squares / static_cast<double>(x.size()) + static_cast<double>(config_.rms_epsilon));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] *= scale * weight[i];
    return x;
  }

  void Rotate(Row& heads, std::size_t position) const {
    for (std::size_t i = 0; i < heads.size(); i += 2) {
      const std::size_t in_head = i % static_cast<std::size_t>(config_.head_dim);
      const double angle =
          static_cast<double>(position) *
          std::pow(static_cast<double>(config_.rope_freq_base), -static_cast<double>(in_head) / config_.head_dim) /
          (rope_pair_divisors_.empty() ? 1.0 : rope_pair_divisors_[in_head / 2]);
      const double even = heads[i], odd = heads[i + 1];
      heads[i] = even * std::cos(angle) - odd * std::sin(angle);
      heads[i + 1] = even * std::sin(angle) + odd * std::cos(angle);
    }
  }

  void AddAttention(const std::string& prefix, std::vector<Row>& x) const {
    const auto wq = Matrix(prefix + "attn_q.weight"), wk = Matrix(prefix + "attn_k.weight");
    const auto wv = Matrix(prefix + "attn_v.weight"), wo = Matrix(prefix + "attn_output.weight");
    const auto head_dim = static_cast<std::size_t>(config_.head_dim);
    const auto group = static_cast<std::size_t>(config_.heads / config_.kv_heads);
    std::vector<Row> q, k, v;
    for (std::size_t p = 0; p < x.size(); ++p) {
      const Row n = Norm(prefix + "attn_norm.weight", x[p]);
      q.push_back(Times(wq, n));
      k.push_back(Times(wk, n));
      v.push_back(Times(wv, n));
      Rotate(q.back(), p);
      Rotate(k.back(), p);
    }
    for (std::size_t p = 0; p < x.size(); ++p) {
      Row mixed(q[p].size(), 0.0);
      for (std::size_t h = 0; h < static_cast<std::size_t>(config_.heads); ++h) {
        const std::size_t own = h * head_dim, shared = h / group * head_dim;
        Row weights;
        double total = 0.0;
        for (std::size_t s = 0; s <= p; ++s) {
          double dot = 0.0;
          for (std::size_t i = 0; i < head_dim; ++i) dot += q[p][own + i] * k[s][shared + i];
          weights.push_back(std::exp(dot / std::sqrt(static_cast<double>(head_dim))));
          total += weights.back();
        }
        for (std::size_t s = 0; s <= p; ++s) {
          for (std::size_t i = 0; i < head_dim; ++i) mixed[own + i] += weights[s] / total * v[s][shared + i];
        }
      }
      const Row added = Times(wo, mixed);
      for (std::size_t i = 0; i < added.size(); ++i) x[p][i] += added[i];
    }
  }

  void AddFeedForward(const std::string& prefix, std::vector<Row>& x) const {
    const auto gate = Matrix(prefix + "ffn_gate.weight"), up = Matrix(prefix + "ffn_up.weight");
    const auto down = Matrix(prefix + "ffn_down.weight");
    for (Row& row : x) {
      const Row n = Norm(prefix + "ffn_norm.weight", row);
      Row g = Times(gate, n);
      const Row u = Times(up, n);
      for (std::size_t i = 0; i < g.size(); ++i) g[i] = g[i] / (1.0 + std::exp(-g[i])) * u[i];
      const Row added = Times(down, g);
      for (std::size_t i = 0; i < added.size(); ++i) row[i] += added[i];
    }
  }

  const tensor::GgufFile& file_;
  const DecoderConfig& config_;
  Row rope_pair_divisors_;  // Llama 3.1's; empty: ones
};

}  // namespace model
