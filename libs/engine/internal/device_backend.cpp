#include "libs/engine/internal/device_backend.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/check.h"
#include "libs/engine/usable_cores.h"
#include "libs/model/gpu/llama_gpu_model.h"
#include "libs/model/gpu/tensor_parallel.h"

namespace engine {
namespace {

absl::Status UnknownValue(const char* option, const std::string& value, const char* known) {
  return absl::InvalidArgumentError(absl::StrCat(option, " is ", value, ", must be one of ", known));
}

// Readers of the model file: the disk and the page cache are what they wait for, so a few suffice.
int LoadThreads() { return std::min(UsableCores(), 8); }

}  // namespace

struct DeviceBackend::DeviceChoice final : TokenChoice {
  DeviceChoice(DeviceBackend& backend, const SamplingParams& params) : owner(backend), sampling(params) {}
  ~DeviceChoice() override {
    if (seen_slot >= 0) owner.seen_slot_owners_[static_cast<std::size_t>(seen_slot)] = nullptr;
  }

  void Remember(std::int32_t token) {
    const auto index = static_cast<std::size_t>(token);
    if (token >= 0 && index / 32 < seen.size()) seen[index / 32] |= 1U << index % 32;
  }

  DeviceBackend& owner;
  const SamplingParams sampling;
  std::uint32_t drawn = 0;          // samples started
  std::vector<std::uint32_t> seen;  // with a penalty: tokens that the host knows of
  std::int32_t seen_slot = -1;
  std::uint64_t sampled_last = 0;  // the last step that it sampled in
};

absl::Status DeviceBackend::Check(const EngineOptions& options) {
  if (options.device != "cuda" && options.device != "emulator") {
    return UnknownValue("device", options.device, "cpu, cuda, emulator");
  }
  if (options.weights != "file" && options.weights != "bf16" && options.weights != "fp8") {
    return UnknownValue("weights", options.weights, "file, bf16, fp8");
  }
  if (options.kv != "bf16" && options.kv != "fp8") {
    return UnknownValue("kv", options.kv, "auto, bf16, fp8 on a device; f16 and q8 are for --device=cpu");
  }
  const auto device = model::LlamaGpuModel::FindDevice(options.device_ordinal);
  // The build decides whether the kernels run on a card or on the emulator, the option what was meant: if that is
  // another, it does not matter which cards there are.
  const auto any = device.ok() ? device : model::LlamaGpuModel::FindDevice(0);
  if (options.device == "cuda" && any.ok() && any->emulated) {
    return absl::FailedPreconditionError(
        "--device=cuda: this build has no device code; build with `make build CUDA=1`, or run with --device=cpu");
  }
  if (options.device == "emulator" && any.ok() && !any->emulated) {
    return absl::FailedPreconditionError("--device=emulator: this build is for a card; run with --device=cuda");
  }
  return device.status();
}

absl::StatusOr<std::unique_ptr<StepBackend>> DeviceBackend::Load(const tensor::GgufFile& file,
                                                                 const EngineOptions& options,
                                                                 std::int32_t vocabulary) {
  model::GpuModelOptions gpu;
  if (options.weights == "bf16") gpu.weights = model::GpuWeightsFormat::kBf16;
  if (options.weights == "fp8") gpu.weights = model::GpuWeightsFormat::kFp8;
  if (options.kv == "fp8") gpu.kv = model::GpuKvFormat::kFp8;
  gpu.ordinal = options.device_ordinal;
  gpu.tensor_parallel = options.tensor_parallel;
  gpu.blocks_total = options.kv_blocks;
  gpu.block_size = options.block_size;
  gpu.rows_max = options.step_tokens_max;
  gpu.samples_max = options.sequences_max;
  gpu.positions_max = std::max(options.context_tokens_max, 0);
  gpu.tokens_total = vocabulary;
  gpu.load_threads = LoadThreads();
  gpu.progress = options.on_load;
  auto model = model::LoadGpuModel(file, gpu);
  if (!model.ok()) return model.status();
  return std::unique_ptr<StepBackend>(new DeviceBackend(*std::move(model), options));
}

DeviceBackend::DeviceBackend(std::unique_ptr<model::GpuModel> model, const EngineOptions& options)
    : model_(std::move(model)),
      weights_(options.weights),
      kv_(options.kv),
      cards_(options.tensor_parallel),
      seen_slot_owners_(static_cast<std::size_t>(options.sequences_max), nullptr) {}

std::unique_ptr<TokenChoice> DeviceBackend::NewChoice(const SamplingParams& sampling,
                                                      std::span<const std::int32_t> prompt) {
  auto choice = std::make_unique<DeviceChoice>(*this, sampling);
  if (sampling.repetition_penalty != 1.0F) {
    choice->seen.resize(model_->seen_words());
    for (std::int32_t token : prompt) choice->Remember(token);
  }
  return choice;
}

// A free slot, or that of the sequence that paused longest. There is one, because a step has at most as many samples as
// there are slots. What a robbed sequence sampled last has ended by the time it samples again, since it missed a step.
void DeviceBackend::TakeSeenSlot(DeviceChoice& choice) {
  const auto last_step = [](const DeviceChoice* owner) { return owner == nullptr ? 0 : owner->sampled_last; };
  const auto slot = std::min_element(seen_slot_owners_.begin(), seen_slot_owners_.end(),
                                     [&](const auto* a, const auto* b) { return last_step(a) < last_step(b); });
  CHECK(*slot == nullptr || (*slot)->sampled_last < steps_started_);
  if (*slot != nullptr) (*slot)->seen_slot = -1;
  *slot = &choice;
  choice.seen_slot = static_cast<std::int32_t>(slot - seen_slot_owners_.begin());
}

absl::Status DeviceBackend::StartStep(const kvcache::StepBatch& batch, std::span<TokenChoice* const> samples) {
  ++steps_started_;
  for (TokenChoice* choice : samples) static_cast<DeviceChoice*>(choice)->sampled_last = steps_started_;
  samples_.clear();
  for (TokenChoice* sampled : samples) {
    auto& choice = *static_cast<DeviceChoice*>(sampled);
    model::StepSample& sample = samples_.emplace_back();
    sample.temperature = choice.sampling.temperature;
    sample.top_k = choice.sampling.top_k;
    sample.top_p = choice.sampling.top_p;
    sample.min_p = choice.sampling.min_p;
    sample.repetition_penalty = choice.sampling.repetition_penalty;
    sample.seed = choice.sampling.seed;
    sample.draw = choice.drawn++;
    if (choice.seen.empty()) continue;
    if (choice.seen_slot < 0) {
      TakeSeenSlot(choice);
      sample.seen = choice.seen;
    }
    sample.seen_slot = choice.seen_slot;
  }
  return model_->Enqueue(batch, samples_);
}

absl::Status DeviceBackend::EndStep() {
  const auto picks = model_->Collect();
  if (!picks.ok()) return picks.status();
  picks_ = *picks;
  return absl::OkStatus();
}

absl::StatusOr<std::int32_t> DeviceBackend::Pick(std::int32_t sample, TokenChoice& choice) {
  const std::int32_t token = picks_[static_cast<std::size_t>(sample)];
  if (token < 0) {
    return absl::DataLossError("the model gave logits that are not finite; its weights may be damaged");
  }
  static_cast<DeviceChoice&>(choice).Remember(token);
  return token;
}

std::string DeviceBackend::device_name() const {
  const kernels::gpu::DeviceInfo& device = model_->device();
  const std::int64_t block_bytes = model_->kv_bytes_per_token() * model_->block_size();
  const char* missing = model_->library_missing();
  const std::string cards = cards_ > 1 ? absl::StrCat(cards_, " cards, each ") : "";
  return absl::StrCat(cards, device.name, ", compute capability ", device.capability / 10, ".", device.capability % 10,
                      ", driver ", device.driver_version / 1000, ".", device.driver_version % 1000 / 10, ", ",
                      device.memory_bytes >> 20, " MiB: weights (", weights_, ") ", model_->weight_bytes() >> 20,
                      " MiB, KV (", kv_, ") ", block_bytes * model_->blocks_total() >> 20, " MiB in ",
                      model_->blocks_total(), " blocks of ", model_->block_size(),
                      " tokens; cuBLASLt: ", missing == nullptr ? "yes" : missing);
}

}  // namespace engine
