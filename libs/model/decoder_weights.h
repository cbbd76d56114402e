#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "kernels/quant/weight_format.h"
#include "libs/model/decoder_config.h"
#include "libs/tensor/gguf.h"

namespace model {

kernels::WeightFormat WeightFormatOf(tensor::DType dtype);

// A matrix in the file's own format: y = W x.
struct WeightMatrix {
  const std::uint8_t* data = nullptr;  // [rows][RowBytes(format, cols)], into the mapped file
  kernels::WeightFormat format = kernels::WeightFormat::kF32;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  // Bytes from a row to the next where columns are a slice of wider rows; 0: rows follow one another. What loads
  // weights into a device takes slices, the forward pass on the CPU does not.
  std::int64_t row_stride = 0;
};

// Vectors that an architecture does not have are empty.
struct DecoderLayer {
  std::vector<float> attention_norm;       // [width]
  WeightMatrix q;                          // [q_width][width]
  WeightMatrix k, v;                       // [kv_width][width]
  std::vector<float> qkv_bias;             // [q_width + 2 * kv_width] of q, k and v, one after the other
  std::vector<float> q_norm, k_norm;       // [head_dim]
  WeightMatrix attention_output;           // [width][q_width]
  std::vector<float> post_attention_norm;  // [width]
  std::vector<float> ffn_norm;             // [width]
  WeightMatrix gate, up;                   // [ffn_width][width]
  WeightMatrix down;                       // [width][ffn_width]
  std::vector<float> post_ffn_norm;        // [width]
};

// All weights of a model, each checked for presence, type and shape against the hyper-parameters. A tensor that the
// architecture does not know is refused: ignoring it (a bias, say) would give wrong answers in silence.
//
// Ownership: matrices are views; the file must outlive this.
struct DecoderWeights {
  WeightMatrix token_embedding;           // [vocabulary][width]
  std::vector<float> rope_pair_divisors;  // [head_dim / 2] of the rotary angles (Llama 3.1), or empty
  std::vector<DecoderLayer> layers;       // [layers]
  std::vector<float> output_norm;         // [width]
  WeightMatrix output;                    // [vocabulary][width]; the embedding where there is no output.weight (tied)

  // FailedPrecondition names the tensor, what it should be and what it is. Permanent.
  static absl::StatusOr<DecoderWeights> FromGguf(const tensor::GgufFile& file, const DecoderConfig& config);
};

}  // namespace model
