#include "libs/engine/internal/host_backend.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/engine/usable_cores.h"

namespace engine {
namespace {

struct HostChoice final : TokenChoice {
  HostChoice(const sampler::SamplerOptions& options, std::span<const std::int32_t> prompt, std::int32_t vocabulary)
      : sampler(options, prompt, vocabulary) {}

  sampler::Sampler sampler;
};

// One a usable core, but no more than the kernels' pool takes.
std::int32_t ThreadsOr(std::int32_t threads) {
  if (threads != 0) return threads;
  return std::min(UsableCores(), 256);
}

}  // namespace

absl::StatusOr<std::unique_ptr<StepBackend>> HostBackend::Load(std::shared_ptr<const tensor::GgufFile> file,
                                                               const EngineOptions& options, std::int32_t vocabulary) {
  if (options.activations != "int8" && options.activations != "f32") {
    return absl::InvalidArgumentError(
        absl::StrCat("activations is '", options.activations, "', must be one of int8, f32"));
  }
  const std::optional<kvcache::KvDtype> kv_dtype = model::KvDtypeNamed(options.kv);
  if (!kv_dtype.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kv is '", options.kv, "', must be one of auto, f16, q8 on the CPU; bf16 and fp8 are for --device=cuda"));
  }
  const absl::StatusOr<model::DecoderConfig> config = model::DecoderConfig::FromGguf(*file);
  if (!config.ok()) return config.status();
  // No sequence is longer than the pool or the model's context, so no more positions need a rotary table.
  const std::int64_t pool_tokens = std::int64_t{options.kv_blocks} * options.block_size;
  const std::int64_t positions = std::clamp<std::int64_t>(pool_tokens, 1, config->context_tokens);
  auto model = model::DecoderModel::Load(
      std::move(file),
      {.threads = ThreadsOr(options.threads),
       .blocks_total = options.kv_blocks,
       .swap_blocks = options.swap_blocks,
       .block_size = options.block_size,
       .rows_max = options.step_tokens_max,
       .samples_max = options.sequences_max,
       .positions_max = static_cast<std::int32_t>(positions),
       .kv_dtype = *kv_dtype,
       .activations = options.activations == "int8" ? model::Activations::kInt8 : model::Activations::kF32});
  if (!model.ok()) return model.status();
  return std::unique_ptr<StepBackend>(new HostBackend(*std::move(model), vocabulary));
}

std::unique_ptr<TokenChoice> HostBackend::NewChoice(const SamplingParams& sampling,
                                                    std::span<const std::int32_t> prompt) {
  return std::make_unique<HostChoice>(sampler::SamplerOptions{.temperature = sampling.temperature,
                                                              .top_k = sampling.top_k,
                                                              .top_p = sampling.top_p,
                                                              .min_p = sampling.min_p,
                                                              .repetition_penalty = sampling.repetition_penalty,
                                                              .seed = sampling.seed},
                                      prompt, vocabulary_);
}

absl::Status HostBackend::StartStep(const kvcache::StepBatch& batch, std::span<TokenChoice* const> samples) {
  model_->ForwardStep(batch);
  picked_.resize(samples.size(), 0);
  model_->ForEachSample(static_cast<std::int32_t>(samples.size()), [&](std::int32_t sample, int thread) {
    const auto index = static_cast<std::size_t>(sample);
    const auto logits = model_->logits(sample).first(static_cast<std::size_t>(vocabulary_));
    picked_[index] =
        static_cast<HostChoice&>(*samples[index]).sampler.Sample(logits, scratch_[static_cast<std::size_t>(thread)]);
  });
  return absl::OkStatus();
}

absl::StatusOr<std::int32_t> HostBackend::Pick(std::int32_t sample, TokenChoice& /*choice*/) {
  return picked_[static_cast<std::size_t>(sample)];
}

}  // namespace engine
