#include "libs/model/gpu/step_buffers.h"

#include "kernels/attention/decode_attention_gpu.h"
#include "kernels/sampling/sample_gpu.h"

namespace model {

namespace gpu = kernels::gpu;

StepBuffers::StepBuffers(MemoryPlan& plan, const DecoderConfig& config, std::int32_t rows_max, std::int32_t samples_max,
                         std::int32_t tokens_total) {
  const auto rows = static_cast<std::size_t>(rows_max), samples = static_cast<std::size_t>(samples_max);
  const auto width = static_cast<std::size_t>(config.width), ffn_width = static_cast<std::size_t>(config.ffn_width);
  const auto q_width = static_cast<std::size_t>(config.q_width()),
             kv_width = static_cast<std::size_t>(config.kv_width());
  logits_stride = (config.vocabulary + 7) / 8 * 8;
  x = plan.Take<float>(rows * width);
  normed = plan.Take<gpu::Bf16>(rows * width);
  normed_scales = plan.Take<float>(rows);
  qkv = plan.Take<gpu::Bf16>(rows * (q_width + 2 * kv_width));
  attended = plan.Take<gpu::Bf16>(rows * q_width);
  gate_up = plan.Take<gpu::Bf16>(rows * 2 * ffn_width);
  gated = plan.Take<gpu::Bf16>(rows * ffn_width);
  gated_scales = plan.Take<float>(rows);
  logits = plan.Take<float>(samples * static_cast<std::size_t>(logits_stride));
  decode_workspace = plan.Take<std::byte>(
      static_cast<std::size_t>(gpu::DecodeAttentionWorkspaceBytes(samples_max, config.heads, config.head_dim)));
  sample_workspace =
      plan.Take<std::byte>(static_cast<std::size_t>(gpu::SampleWorkspaceBytes(samples_max, tokens_total)));
}

}  // namespace model
