#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "libs/tensor/gguf.h"

namespace model {

// Hyper-parameters of a Llama model (Touvron et al. 2023) as GGUF metadata holds them, keys `llama.*`.
struct DecoderConfig {
  std::int32_t layers = 0;          // block_count
  std::int32_t width = 0;           // embedding_length
  std::int32_t heads = 0;           // attention.head_count
  std::int32_t kv_heads = 0;        // attention.head_count_kv; heads / kv_heads query heads share one
  std::int32_t head_dim = 0;        // attention.key_length, else width / heads
  std::int32_t ffn_width = 0;       // feed_forward_length
  std::int32_t vocabulary = 0;      // rows of token_embd.weight
  std::int32_t context_tokens = 0;  // context_length
  float rms_epsilon = 0;            // attention.layer_norm_rms_epsilon
  float rope_freq_base = 10000.0F;  // rope.freq_base

  std::int32_t q_width() const { return heads * head_dim; }
  std::int32_t kv_width() const { return kv_heads * head_dim; }

  // FailedPrecondition: another architecture, a missing or contradictory value, or a variant that the forward pass does
  // not compute (rope scaling, experts, other head sizes); names the key. Permanent.
  static absl::StatusOr<DecoderConfig> FromGguf(const tensor::GgufFile& file);
};

}  // namespace model
