#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/primitives/gpu/float_formats.h"
#include "libs/model/decoder_config.h"
#include "libs/model/gpu/device_memory.h"

namespace model {

// The input of a product: BF16, or FP8 with one scale a row.
struct ProductInput {
  const kernels::gpu::Bf16* bf16 = nullptr;
  const kernels::gpu::Fp8* fp8 = nullptr;
  const float* scales = nullptr;
};

// What a step computes on its way, in device memory. `normed` and `gated` hold BF16 or FP8, as the product that reads
// them wants it. The residual stream x collects what each layer adds, in F32.
struct StepBuffers {
  StepBuffers() = default;
  // tokens_total: how many of the vocabulary sampling looks at.
  StepBuffers(MemoryPlan& plan, const DecoderConfig& config, std::int32_t rows_max, std::int32_t samples_max,
              std::int32_t tokens_total);

  float* x = nullptr;                      // [rows_max][width]
  kernels::gpu::Bf16* normed = nullptr;    // [rows_max][width]
  float* normed_scales = nullptr;          // [rows_max]
  kernels::gpu::Bf16* qkv = nullptr;       // [rows_max][q_width + 2 * kv_width]
  kernels::gpu::Bf16* attended = nullptr;  // [rows_max][q_width]
  kernels::gpu::Bf16* gate_up = nullptr;   // [rows_max][2 * ffn_width]
  kernels::gpu::Bf16* gated = nullptr;     // [rows_max][ffn_width]
  float* gated_scales = nullptr;           // [rows_max]
  float* logits = nullptr;                 // [samples_max][logits_stride]
  std::byte* decode_workspace = nullptr;   // both zero at first
  std::byte* sample_workspace = nullptr;
  std::int32_t logits_stride = 0;  // vocabulary, up to a multiple of 8
};

}  // namespace model
