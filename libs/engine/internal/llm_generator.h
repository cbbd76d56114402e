#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/engine/internal/generator.h"
#include "libs/engine/internal/step_backend.h"
#include "libs/engine/make_engine.h"
#include "libs/model/chat_codec.h"

namespace engine {

// A real model: the file's own tokenizer and chat template, and the forward pass with the choice of tokens on the
// CPU or a device. Every mode of a request is generated alike: a mode is about how long to think and how soon to run,
// which the worker decides.
class LlmGenerator final : public Generator {
 public:
  // Errors as MakeEngine states them for the model file.
  static absl::StatusOr<std::unique_ptr<Generator>> Load(const EngineOptions& options);

  absl::StatusOr<Prepared> Prepare(const GenerationRequest& request) const override;
  absl::Status StartStep(const kvcache::StepBatch& batch, std::span<Generation* const> samples) override;
  absl::Status EndStep() override { return backend_->EndStep(); }
  void set_on_progress(std::function<void()> on_progress) override {
    backend_->set_on_progress(std::move(on_progress));
  }
  std::size_t steps_in_flight_max() const override { return backend_->steps_in_flight_max(); }
  bool device_lost() const override { return backend_->device_lost(); }
  std::int32_t CountTokens(std::string_view text) const override;
  std::int32_t vocabulary_size() const override;
  std::int32_t context_tokens_max() const override { return context_tokens_; }
  std::int32_t kv_blocks() const override { return backend_->kv_blocks(); }
  std::string model_name() const override { return name_; }
  std::string device_name() const override { return backend_->device_name(); }

 private:
  class LlmGeneration;

  LlmGenerator(std::string name, std::int32_t context_tokens, std::unique_ptr<const model::ChatCodec> codec,
               std::unique_ptr<StepBackend> backend);

  const std::string name_;
  const std::int32_t context_tokens_;
  const std::unique_ptr<const model::ChatCodec> codec_;
  const std::unique_ptr<StepBackend> backend_;
  std::vector<TokenChoice*> choices_;  // loop thread; of the step being started
};

}  // namespace engine
