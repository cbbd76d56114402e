#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "libs/engine/internal/generator.h"
#include "libs/engine/make_engine.h"
#include "libs/model/chat_codec.h"
#include "libs/model/llama_model.h"
#include "libs/sampler/sampler.h"

namespace engine {

// A real model: the file's own tokenizer and chat template, the Llama forward pass and the sampler. Every mode of a
// request is generated alike: a mode is about how long to think and how soon to run, which the worker decides.
class LlmGenerator final : public Generator {
 public:
  // Errors as MakeEngine states them for the model file.
  static absl::StatusOr<std::unique_ptr<Generator>> Load(const EngineOptions& options);

  absl::StatusOr<Prepared> Prepare(const GenerationRequest& request) const override;
  absl::Status Forward(const kvcache::StepBatch& batch) override;
  std::int32_t CountTokens(std::string_view text) const override;
  std::int32_t vocabulary_size() const override;
  std::int32_t context_tokens_max() const override { return model_->config().context_tokens; }
  std::string model_name() const override { return name_; }

 private:
  class LlmGeneration;

  LlmGenerator(std::string name, std::unique_ptr<const model::ChatCodec> codec,
               std::unique_ptr<model::LlamaModel> model);

  const std::string name_;
  const std::unique_ptr<const model::ChatCodec> codec_;
  const std::unique_ptr<model::LlamaModel> model_;  // loop thread, but for its config
  mutable sampler::SamplerScratch scratch_;         // loop thread; every generation samples with it
};

}  // namespace engine
