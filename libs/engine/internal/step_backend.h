#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/engine/engine.h"
#include "libs/kvcache/step_batch.h"

namespace engine {

// What one sequence's choice of tokens keeps between steps: parameters, how many it drew, which tokens it has seen.
class TokenChoice {
 public:
  virtual ~TokenChoice() = default;
};

// Where steps run and tokens are chosen: the CPU, where the host samples from the logits, or a device, which gives the
// tokens themselves. The steps are as Generator states them.
// Threading: NewChoice from any thread, the rest on the loop thread.
class StepBackend {
 public:
  virtual ~StepBackend() = default;

  // REQUIRES: this backend outlives it.
  virtual std::unique_ptr<TokenChoice> NewChoice(const SamplingParams& sampling,
                                                 std::span<const std::int32_t> prompt) = 0;

  virtual absl::Status StartStep(const kvcache::StepBatch& batch, std::span<TokenChoice* const> samples) = 0;
  virtual absl::Status EndStep() = 0;
  // The token of sample `sample` of the step ended last. DataLoss: its logits are not finite.
  virtual absl::StatusOr<std::int32_t> Pick(std::int32_t sample, TokenChoice& choice) = 0;

  virtual void set_on_progress(std::function<void()> /*on_progress*/) {}  // as Generator's
  virtual std::size_t steps_in_flight_max() const = 0;
  virtual bool device_lost() const = 0;
  virtual std::int32_t kv_blocks() const = 0;
  virtual std::string device_name() const = 0;
};

}  // namespace engine
