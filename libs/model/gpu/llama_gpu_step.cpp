// The launches of one step. Apart from llama_gpu_model.cpp, which keeps the order of steps.
#include <algorithm>
#include <cmath>

#include "kernels/attention/decode_attention_gpu.h"
#include "kernels/attention/prefill_attention_gpu.h"
#include "kernels/norm/rms_norm_gpu.h"
#include "kernels/primitives/gpu/collectives.h"
#include "kernels/primitives/silu_gate_gpu.h"
#include "kernels/quant/quantize_rows_gpu.h"
#include "kernels/quant/repack_gpu.h"
#include "kernels/rope/rope_store_gpu.h"
#include "kernels/sampling/sample_gpu.h"
#include "libs/model/gpu/llama_gpu_model.h"

namespace model {

namespace gpu = kernels::gpu;
using gpu::LaunchResult;

namespace {

ProductInput Written(gpu::Bf16* memory, float* scales, bool fp8) {
  if (fp8) return {.bf16 = nullptr, .fp8 = reinterpret_cast<const gpu::Fp8*>(memory), .scales = scales};
  return {.bf16 = memory, .fp8 = nullptr, .scales = nullptr};
}

}  // namespace

bool LlamaGpuModel::TakesFp8(std::span<const gpu::Matrix> parts, std::int32_t rows) const {
  return rows > options_.bf16_inputs_rows_max && std::all_of(parts.begin(), parts.end(), [](const gpu::Matrix& part) {
           return part.format == gpu::MatrixFormat::kFp8;
         });
}

gpu::PagedKv LlamaGpuModel::LayerKv(std::int32_t layer) const {
  const bool fp8 = options_.kv == GpuKvFormat::kFp8;
  const std::int64_t plane_bytes =
      kv_bytes_per_token() / (2 * config_.layers) * options_.block_size * (std::int64_t{options_.blocks_total} + 1);
  auto* planes = static_cast<std::byte*>(kv_pool_.get());
  return {.k = planes + 2 * layer * plane_bytes,
          .v = planes + (2 * layer + 1) * plane_bytes,
          .format = fp8 ? gpu::KvFormat::kFp8 : gpu::KvFormat::kBf16,
          .blocks_total = options_.blocks_total + 1,
          .kv_heads = config_.kv_heads,
          .block_size = options_.block_size,
          .head_dim = config_.head_dim};
}

// A shape is captured when it comes the second time: the first run loads what its kernels need, which a capture
// forbids, and a shape that never comes back is not worth a graph.
LaunchResult LlamaGpuModel::RunOrReplay(const StepPlan& plan) {
  if (!plan.captures || no_memory_for_graphs_) return Run(plan);
  const GraphKey key{plan.sizes.rows, plan.context_max, static_cast<int>(steps_enqueued_ % kStepsInFlight)};
  gpu::Graph graph = graphs_.Find(key);
  if (graph == nullptr) {
    const std::pair shape{key.rows, key.context_max};
    if (std::find(shapes_met_.begin(), shapes_met_.end(), shape) == shapes_met_.end()) {
      shapes_met_.push_back(shape);
      return Run(plan);
    }
    GPU_RETURN_IF_ERROR(gpu::BeginCapture(compute_.get()));
    const LaunchResult captured = Run(plan);
    const LaunchResult ended = gpu::EndCapture(compute_.get(), &graph);  // in any case: it ends the stream's capturing
    DeviceGraph owned(graph);
    for (const LaunchResult& result : {captured, ended}) {
      if (result.code() == LaunchResult::Code::kNoMemory) return RunWithoutGraphs(plan);
    }
    GPU_RETURN_IF_ERROR(captured);
    GPU_RETURN_IF_ERROR(ended);
    graphs_.Put(key, std::move(owned));
  }
  const LaunchResult started = gpu::StartGraph(graph, compute_.get());
  return started.code() == LaunchResult::Code::kNoMemory ? RunWithoutGraphs(plan) : started;
}

// Graphs only spare the host's time: where the device has no memory for one, none is tried again.
LaunchResult LlamaGpuModel::RunWithoutGraphs(const StepPlan& plan) {
  no_memory_for_graphs_ = true;
  return Run(plan);
}

LaunchResult LlamaGpuModel::Run(const StepPlan& plan) {
  const std::size_t index = steps_enqueued_ % kStepsInFlight;
  const StepSlot& slot = slots_[index];
  const StepArrays arrays = slot.OnDevice(plan.sizes);
  const gpu::Stream stream = compute_.get();
  if (Runs(StepPart::kEmbed)) {
    GPU_RETURN_IF_ERROR(
        gpu::RunEmbedRows({.embedding = weights_.embedding,
                           .format = weights_.embedding_format,
                           .rows_total = config_.vocabulary,
                           .width = config_.width,
                           .token_ids = arrays.token_ids,
                           .previous_picks = static_cast<const std::int32_t*>(slots_[1 - index].device_picks.get()),
                           .previous_count = options_.samples_max,
                           .rows = plan.sizes.rows,
                           .x = buffers_.x},
                          stream));
  }
  for (std::int32_t layer = 0; layer < config_.layers; ++layer) {
    GPU_RETURN_IF_ERROR(RunAttention(plan, arrays, layer));
    GPU_RETURN_IF_ERROR(RunFeedForward(plan, weights_.layers[static_cast<std::size_t>(layer)]));
  }
  if (plan.sizes.samples == 0) return LaunchResult::Ok();
  GPU_RETURN_IF_ERROR(RunSampling(plan, arrays));
  if (!Runs(StepPart::kSample)) return LaunchResult::Ok();
  return gpu::CopyToHost(slot.picks.get(), slot.device_picks.get(),
                         static_cast<std::size_t>(plan.sizes.samples) * sizeof(std::int32_t), stream);
}

LaunchResult LlamaGpuModel::RunNorm(const float* weight, std::int32_t rows, const std::int32_t* row_ids,
                                    std::int32_t rows_total, bool fp8) {
  if (!Runs(StepPart::kNorm)) return LaunchResult::Ok();
  return gpu::RunRmsNorm({.x = buffers_.x,
                          .delta = nullptr,
                          .weight = weight,
                          .eps = config_.rms_epsilon,
                          .rows = rows,
                          .width = config_.width,
                          .row_ids = row_ids,
                          .rows_total = rows_total,
                          .y_bf16 = fp8 ? nullptr : buffers_.normed,
                          .y_fp8 = fp8 ? reinterpret_cast<gpu::Fp8*>(buffers_.normed) : nullptr,
                          .y_scales = fp8 ? buffers_.normed_scales : nullptr},
                         compute_.get());
}

// The outputs of the parts lie side by side in y's rows.
LaunchResult LlamaGpuModel::RunProducts(std::span<const gpu::Matrix> parts, const ProductInput& x, std::int32_t rows,
                                        gpu::Bf16* y, std::int32_t y_stride) {
  for (const gpu::Matrix& part : parts) {
    GPU_RETURN_IF_ERROR(gpu::RunGemm({.w = part,
                                      .x_bf16 = x.bf16,
                                      .x_fp8 = x.fp8,
                                      .x_scales = x.scales,
                                      .m = rows,
                                      .y_f32 = nullptr,
                                      .y_bf16 = y,
                                      .y_stride = y_stride,
                                      .accumulate = false},
                                     gemm_.get(), compute_.get()));
    y += part.n;
  }
  return LaunchResult::Ok();
}

// Into the residual stream. Over several cards each rank has a part of the inputs and so of the sums: rank 0 adds its
// part to the residual, the others put theirs in its place, and the sum over all of them is the new residual, with the
// same bits on every rank.
LaunchResult LlamaGpuModel::RunProductAdded(const gpu::Matrix& w, const ProductInput& x, std::int32_t rows) {
  GPU_RETURN_IF_ERROR(gpu::RunGemm({.w = w,
                                    .x_bf16 = x.bf16,
                                    .x_fp8 = x.fp8,
                                    .x_scales = x.scales,
                                    .m = rows,
                                    .y_f32 = buffers_.x,
                                    .y_bf16 = nullptr,
                                    .y_stride = config_.width,
                                    .accumulate = shard_.rank == 0},
                                   gemm_.get(), compute_.get()));
  if (shard_.communicator == nullptr) return LaunchResult::Ok();
  return gpu::AllReduceSum(shard_.communicator, buffers_.x, std::int64_t{rows} * config_.width, compute_.get());
}

// x += W_o attention(rope(W_q n), rope(W_k n), W_v n), n = norm(x)
LaunchResult LlamaGpuModel::RunAttention(const StepPlan& plan, const StepArrays& arrays, std::int32_t layer_index) {
  const GpuLayer& layer = weights_.layers[static_cast<std::size_t>(layer_index)];
  const std::int32_t rows = plan.sizes.rows, q_width = config_.q_width();
  const std::int32_t qkv_width = q_width + 2 * config_.kv_width();
  const bool fp8 = TakesFp8(layer.qkv.all(), rows);
  const gpu::Stream stream = compute_.get();
  GPU_RETURN_IF_ERROR(RunNorm(layer.attention_norm, rows, nullptr, rows, fp8));
  const ProductInput normed = Written(buffers_.normed, buffers_.normed_scales, fp8);
  if (Runs(StepPart::kQkv)) {
    GPU_RETURN_IF_ERROR(RunProducts(layer.qkv.all(), normed, rows, buffers_.qkv, qkv_width));
  }

  const gpu::PagedKv kv = LayerKv(layer_index);
  if (Runs(StepPart::kRope)) {
    // The step's arrays were on the device before its first kernel.
    GPU_RETURN_IF_ERROR(gpu::RunRopeStore({.qkv = buffers_.qkv,
                                           .heads = config_.heads,
                                           .table = static_cast<const float*>(rope_table_.get()),
                                           .table_positions = options_.positions_max,
                                           .rows = arrays.Rows(plan.sizes),
                                           .sequence_of_row = arrays.sequence_of_row,
                                           .kv = kv,
                                           .rows_settled = true,
                                           .before = {.bias = layer.qkv_bias,
                                                      .q_norm = layer.q_norm,
                                                      .k_norm = layer.k_norm,
                                                      .eps = config_.rms_epsilon}},
                                          stream));
  }
  const float scale = 1.0F / std::sqrt(static_cast<float>(config_.head_dim));
  const std::int32_t decodes = plan.decodes;
  if (Runs(StepPart::kAttention)) {
    GPU_RETURN_IF_ERROR(gpu::RunDecodeAttention({.q = buffers_.qkv,
                                                 .q_stride = qkv_width,
                                                 .kv = kv,
                                                 .positions = arrays.positions,
                                                 .block_begin = arrays.block_begin,
                                                 .block_ids = arrays.block_ids,
                                                 .sequences = decodes,
                                                 .heads = config_.heads,
                                                 .context_max = plan.context_max,
                                                 .scale = scale,
                                                 .workspace = buffers_.decode_workspace,
                                                 .y = buffers_.attended},
                                                stream));
    const gpu::StepRows chunks{.positions = arrays.positions + decodes,
                               .row_begin = arrays.prefill_row_begin,
                               .block_begin = arrays.block_begin + decodes,
                               .block_ids = arrays.block_ids,
                               .rows = rows - decodes,
                               .sequences = plan.sizes.sequences - decodes};
    GPU_RETURN_IF_ERROR(gpu::RunPrefillAttention({.q = buffers_.qkv + std::int64_t{decodes} * qkv_width,
                                                  .q_stride = qkv_width,
                                                  .kv = kv,
                                                  .rows = chunks,
                                                  .heads = config_.heads,
                                                  .chunk_max = plan.chunk_max,
                                                  .scale = scale,
                                                  .y = buffers_.attended + std::int64_t{decodes} * q_width},
                                                 stream));
  }
  if (!Runs(StepPart::kOutput)) return LaunchResult::Ok();
  if (!TakesFp8({&layer.attention_output, 1}, rows)) {
    return RunProductAdded(layer.attention_output, {.bf16 = buffers_.attended}, rows);
  }
  // Attention is done with qkv, and the product before with the norm's scales.
  const ProductInput rounded = Written(buffers_.qkv, buffers_.normed_scales, /*fp8=*/true);
  GPU_RETURN_IF_ERROR(gpu::RunQuantizeRows({.x = buffers_.attended,
                                            .rows = rows,
                                            .width = q_width,
                                            .y = reinterpret_cast<gpu::Fp8*>(buffers_.qkv),
                                            .scales = buffers_.normed_scales},
                                           stream));
  return RunProductAdded(layer.attention_output, rounded, rows);
}

// x += W_down swiglu(W_gate n, W_up n), n = norm(x)
LaunchResult LlamaGpuModel::RunFeedForward(const StepPlan& plan, const GpuLayer& layer) {
  const std::int32_t rows = plan.sizes.rows;
  const bool fp8_in = TakesFp8(layer.gate_up.all(), rows), fp8_out = TakesFp8({&layer.down, 1}, rows);
  GPU_RETURN_IF_ERROR(RunNorm(layer.ffn_norm, rows, nullptr, rows, fp8_in));
  if (Runs(StepPart::kGateUp)) {
    GPU_RETURN_IF_ERROR(RunProducts(layer.gate_up.all(), Written(buffers_.normed, buffers_.normed_scales, fp8_in), rows,
                                    buffers_.gate_up, 2 * config_.ffn_width));
  }
  if (Runs(StepPart::kSiluGate)) {
    GPU_RETURN_IF_ERROR(gpu::RunSiluGate({.gate_up = buffers_.gate_up,
                                          .rows = rows,
                                          .width = config_.ffn_width,
                                          .y_bf16 = fp8_out ? nullptr : buffers_.gated,
                                          .y_fp8 = fp8_out ? reinterpret_cast<gpu::Fp8*>(buffers_.gated) : nullptr,
                                          .y_scales = fp8_out ? buffers_.gated_scales : nullptr},
                                         compute_.get()));
  }
  if (!Runs(StepPart::kDown)) return LaunchResult::Ok();
  return RunProductAdded(layer.down, Written(buffers_.gated, buffers_.gated_scales, fp8_out), rows);
}

// Only for the rows that sample: the output matrix is the largest of all.
LaunchResult LlamaGpuModel::RunSampling(const StepPlan& plan, const StepArrays& arrays) {
  const std::int32_t samples = plan.sizes.samples;
  const StepSlot& slot = slots_[steps_enqueued_ % kStepsInFlight];
  GPU_RETURN_IF_ERROR(RunNorm(weights_.output_norm, samples, arrays.logit_rows, plan.sizes.rows, /*fp8=*/false));
  if (Runs(StepPart::kLogits)) {
    GPU_RETURN_IF_ERROR(gpu::RunGemm({.w = weights_.output,
                                      .x_bf16 = buffers_.normed,
                                      .x_fp8 = nullptr,
                                      .x_scales = nullptr,
                                      .m = samples,
                                      .y_f32 = buffers_.logits,
                                      .y_bf16 = nullptr,
                                      .y_stride = buffers_.logits_stride,
                                      .accumulate = false},
                                     gemm_.get(), compute_.get()));
  }
  if (!Runs(StepPart::kSample)) return LaunchResult::Ok();
  return gpu::RunSample({.logits = buffers_.logits,
                         .rows = samples,
                         .stride = buffers_.logits_stride,
                         .vocabulary = options_.tokens_total,
                         .params = arrays.params,
                         .seen = arrays.seen,
                         .tokens = static_cast<std::int32_t*>(slot.device_picks.get()),
                         .logprobs = nullptr,
                         .logprob_tokens = nullptr,
                         .logprobs_count = 0,
                         .workspace = buffers_.sample_workspace},
                        compute_.get());
}

}  // namespace model
