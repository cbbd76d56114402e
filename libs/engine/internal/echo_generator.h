#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libs/engine/internal/generator.h"
#include "libs/engine/make_engine.h"

namespace engine {

// Stands in for a model in fault and load tests: the answer is "echo: " and the last user message, whatever the
// sampling says, one token a step, each step taking options.echo_step_time. Prompts, blocks, steps, stop strings and
// tokens_max work as with a real model. A token is 4 code points of text, about what a real vocabulary averages; those
// of an answer that would take more than options.echo_steps_max steps are as large as they must be.
class EchoGenerator final : public Generator {
 public:
  EchoGenerator(base::Duration step_time, std::int32_t steps_max) : step_time_(step_time), steps_max_(steps_max) {}

  absl::StatusOr<Prepared> Prepare(const GenerationRequest& request) const override;
  absl::Status StartStep(const kvcache::StepBatch& batch, std::span<Generation* const> samples) override;
  absl::Status EndStep() override { return absl::OkStatus(); }
  std::int32_t CountTokens(std::string_view text) const override;
  std::int32_t vocabulary_size() const override;
  std::int32_t context_tokens_max() const override { return 1 << 20; }  // the KV pool is what limits
  std::string model_name() const override { return "echo"; }
  std::string device_name() const override { return "none"; }

 private:
  const base::Duration step_time_;
  const std::int32_t steps_max_;  // 0: none
};

}  // namespace engine
