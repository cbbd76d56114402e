#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libs/engine/internal/step_backend.h"
#include "libs/engine/make_engine.h"
#include "libs/model/gpu/gpu_model.h"
#include "libs/tensor/gguf.h"

namespace engine {

// Steps on a device, or on several that share the model, two in flight. The device chooses the tokens, with the same
// random numbers as the host would.
//
// A sequence with a repetition penalty needs a bit set of its tokens on the device, where each pick is added before the
// host knows it. There are as many sets as a step can have samples; a sequence takes one when it first samples, fills
// it with what it has seen, and keeps it until it ends or, while it pauses, another one needs it.
class DeviceBackend final : public StepBackend {
 public:
  // InvalidArgument: an option of the device is unknown. FailedPrecondition: this build or machine has no such device.
  static absl::Status Check(const EngineOptions& options);

  // Errors as LoadGpuModel. REQUIRES: Check.
  static absl::StatusOr<std::unique_ptr<StepBackend>> Load(const tensor::GgufFile& file, const EngineOptions& options,
                                                           std::int32_t vocabulary);

  std::unique_ptr<TokenChoice> NewChoice(const SamplingParams& sampling, std::span<const std::int32_t> prompt) override;
  absl::Status StartStep(const kvcache::StepBatch& batch, std::span<TokenChoice* const> samples) override;
  absl::Status EndStep() override;
  absl::StatusOr<std::int32_t> Pick(std::int32_t sample, TokenChoice& choice) override;
  std::size_t steps_in_flight_max() const override { return model::GpuModel::kStepsInFlight; }
  bool device_lost() const override { return model_->device_lost(); }
  std::int32_t kv_blocks() const override { return model_->blocks_total(); }
  std::string device_name() const override;

 private:
  struct DeviceChoice;

  DeviceBackend(std::unique_ptr<model::GpuModel> model, const EngineOptions& options);

  void TakeSeenSlot(DeviceChoice& choice);

  const std::unique_ptr<model::GpuModel> model_;
  const std::string weights_, kv_;  // formats, for device_name
  const std::int32_t cards_;
  std::vector<DeviceChoice*> seen_slot_owners_;  // [sequences_max]; nullptr: free
  std::vector<model::StepSample> samples_;       // of the step being started
  std::span<const std::int32_t> picks_;          // of the step ended last
  std::uint64_t steps_started_ = 0;
};

}  // namespace engine
