#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "kernels/primitives/gated_unit.h"
#include "kernels/rope/rope.h"
#include "libs/tensor/gguf.h"

namespace model {

// The family that the forward pass covers. README.md has the table of what differs.
enum class Architecture {
  kLlama,   // Touvron et al. 2023
  kQwen2,   // Yang et al. 2024; Qwen2.5 too
  kQwen3,   // Yang et al. 2025; dense ones
  kGemma3,  // Gemma Team 2025; text alone
};

// The name in `general.architecture`, which is also the prefix of the metadata keys.
std::string_view ArchitectureName(Architecture architecture);

// Hyper-parameters of a decoder-only transformer, as GGUF metadata hold them under `<architecture>.`, and what the
// architecture adds to the plain layer. The forward pass reads these and never asks for the architecture's name.
struct DecoderConfig {
  Architecture architecture = Architecture::kLlama;
  std::int32_t layers = 0;          // block_count
  std::int32_t width = 0;           // embedding_length
  std::int32_t heads = 0;           // attention.head_count
  std::int32_t kv_heads = 0;        // attention.head_count_kv; heads / kv_heads query heads share one
  std::int32_t head_dim = 0;        // attention.key_length, else width / heads
  std::int32_t ffn_width = 0;       // feed_forward_length
  std::int32_t vocabulary = 0;      // rows of token_embd.weight
  std::int32_t context_tokens = 0;  // context_length
  float rms_epsilon = 0;            // attention.layer_norm_rms_epsilon

  bool qkv_bias = false;    // a bias is added to queries, keys and values
  bool qk_norm = false;     // every head of the queries and the keys is normalised before it is rotated
  bool post_norms = false;  // what attention and feed-forward add to the residual stream is normalised first
  kernels::GateActivation gate = kernels::GateActivation::kSilu;  // of the feed-forward layer
  float embedding_scale = 1;                                      // what embeddings are multiplied with
  float attention_scale = 0;  // what the products of queries and keys are multiplied with

  kernels::RopePairs rope_pairs = kernels::RopePairs::kNeighbours;
  float rope_freq_base = 10000.0F;  // rope.freq_base
  float rope_position_divisor = 1;  // rope.scaling.factor, where rope.scaling.type is linear

  // Local layers see a window of so many positions, their own among them; of `window_period` layers the last one is
  // global and sees all. Local layers have their own rotary angles, never with a position divisor.
  std::int32_t window = 0;                // attention.sliding_window; 0: every layer is global
  std::int32_t window_period = 1;         // attention.sliding_window_pattern
  float local_rope_freq_base = 10000.0F;  // rope.freq_base_swa

  std::int32_t q_width() const { return heads * head_dim; }
  std::int32_t kv_width() const { return kv_heads * head_dim; }
  bool is_local(std::int32_t layer) const { return window > 0 && layer % window_period != window_period - 1; }

  // FailedPrecondition: another architecture, a missing or contradictory value, or a variant that the forward pass does
  // not compute (rope scaling other than linear, soft caps, experts, other head sizes); names the key. Permanent.
  static absl::StatusOr<DecoderConfig> FromGguf(const tensor::GgufFile& file);
};

}  // namespace model
