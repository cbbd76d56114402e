#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libs/engine/internal/step_backend.h"
#include "libs/engine/make_engine.h"
#include "libs/model/decoder_model.h"
#include "libs/sampler/sampler.h"
#include "libs/tensor/gguf.h"

namespace engine {

// Steps on the CPU, one at a time: StartStep does all the work. Tokens are picked on all threads, each sequence by its
// own sampler, so that a whole batch of draws does not wait for one core.
class HostBackend final : public StepBackend {
 public:
  // Errors as DecoderModel::Load. vocabulary: tokens that may be chosen.
  static absl::StatusOr<std::unique_ptr<StepBackend>> Load(std::shared_ptr<const tensor::GgufFile> file,
                                                           const EngineOptions& options, std::int32_t vocabulary);

  std::unique_ptr<TokenChoice> NewChoice(const SamplingParams& sampling, std::span<const std::int32_t> prompt) override;
  absl::Status StartStep(const kvcache::StepBatch& batch, std::span<TokenChoice* const> samples) override;
  absl::Status EndStep() override { return absl::OkStatus(); }
  absl::StatusOr<std::int32_t> Pick(std::int32_t sample, TokenChoice& choice) override;
  void set_on_progress(std::function<void()> on_progress) override { model_->set_on_layer(std::move(on_progress)); }
  std::size_t steps_in_flight_max() const override { return 1; }
  bool device_lost() const override { return false; }
  std::int32_t kv_blocks() const override { return 0; }
  std::string device_name() const override { return "cpu"; }

 private:
  HostBackend(std::unique_ptr<model::DecoderModel> model, std::int32_t vocabulary)
      : model_(std::move(model)), vocabulary_(vocabulary), scratch_(static_cast<std::size_t>(model_->threads())) {}

  const std::unique_ptr<model::DecoderModel> model_;
  const std::int32_t vocabulary_;
  std::vector<sampler::SamplerScratch> scratch_;      // [threads]
  std::vector<absl::StatusOr<std::int32_t>> picked_;  // of the last step's samples
};

}  // namespace engine
