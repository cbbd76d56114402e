#include "libs/engine/internal/llm_generator.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/sampler/stop_matcher.h"
#include "libs/tensor/gguf.h"
#include "libs/tokenizer/detokenizer.h"

namespace engine {
namespace {

const char* RoleName(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
  }
  return "user";
}

// "models/SmolLM2.Q4_1.gguf" -> "SmolLM2.Q4_1"
std::string NameOf(std::string_view path) {
  path = path.substr(path.find_last_of('/') + 1);
  if (path.ends_with(".gguf")) path.remove_suffix(5);
  return std::string(path);
}

// One a core, but no more than the kernels' pool takes.
std::int32_t ThreadsOr(std::int32_t threads) {
  if (threads != 0) return threads;
  return static_cast<std::int32_t>(std::clamp(std::thread::hardware_concurrency(), 1U, 256U));
}

absl::Status WithPath(const absl::Status& status, const std::string& path) {
  return absl::Status(status.code(), absl::StrCat("model file ", path, ": ", status.message()));
}

}  // namespace

class LlmGenerator::LlmGeneration final : public Generation {
 public:
  LlmGeneration(const LlmGenerator& owner, const GenerationRequest& request, std::span<const std::int32_t> prompt)
      : owner_(owner),
        sampler_({.temperature = request.sampling.temperature,
                  .top_k = request.sampling.top_k,
                  .top_p = request.sampling.top_p,
                  .min_p = request.sampling.min_p,
                  .repetition_penalty = request.sampling.repetition_penalty,
                  .seed = request.sampling.seed},
                 prompt, owner.vocabulary_size()),
        detokenizer_(owner.codec_->tokenizer()),
        stops_(request.stop) {}

  absl::StatusOr<Next> PickToken(std::int32_t sample) override {
    const auto logits = owner_.model_->logits(sample).first(static_cast<std::size_t>(owner_.vocabulary_size()));
    const absl::StatusOr<std::int32_t> token = sampler_.Sample(logits, owner_.scratch_);
    if (!token.ok()) return token.status();
    if (owner_.codec_->tokenizer().IsEndOfGeneration(*token)) {
      return Next{.token = *token, .ended = FinishReason::kEndOfTurn, .counts = false};
    }
    Next next{.token = *token, .ended = {}};
    std::string piece;
    detokenizer_.Append(*token, piece);
    stopped_ = stops_.Append(piece, text_);
    if (stopped_) next.ended = FinishReason::kStopString;
    return next;
  }

  // A code point that the last token cut in half is dropped: it says nothing, and U+FFFD would only look broken.
  std::string TakeText() override {
    if (!stopped_) stops_.Finish(text_);
    return std::move(text_);
  }

 private:
  const LlmGenerator& owner_;
  sampler::Sampler sampler_;
  tokenizer::Detokenizer detokenizer_;
  sampler::StopMatcher stops_;
  bool stopped_ = false;
  std::string text_;
};

LlmGenerator::LlmGenerator(std::string name, std::unique_ptr<const model::ChatCodec> codec,
                           std::unique_ptr<model::LlamaModel> model)
    : name_(std::move(name)), codec_(std::move(codec)), model_(std::move(model)) {}

absl::StatusOr<std::unique_ptr<Generator>> LlmGenerator::Load(const EngineOptions& options) {
  absl::StatusOr<std::unique_ptr<tensor::GgufFile>> opened = tensor::GgufFile::Open(options.model_path);
  if (!opened.ok()) return opened.status();  // names the path
  const std::shared_ptr<const tensor::GgufFile> file = *std::move(opened);

  absl::StatusOr<std::unique_ptr<const model::ChatCodec>> codec = model::ChatCodec::Load(*file);
  if (!codec.ok()) return WithPath(codec.status(), options.model_path);

  const absl::StatusOr<model::LlamaConfig> config = model::LlamaConfig::FromGguf(*file);
  if (!config.ok()) return WithPath(config.status(), options.model_path);
  const std::int32_t tokens = (*codec)->tokenizer().vocab_size();
  if (tokens > config->vocabulary) {
    return WithPath(absl::FailedPreconditionError(absl::StrCat("the tokenizer has ", tokens, " tokens, the embedding ",
                                                               config->vocabulary, " rows")),
                    options.model_path);
  }
  // No sequence is longer than the pool or the model's context, so no more positions need a rotary table.
  const std::int64_t pool_tokens = std::int64_t{options.kv_blocks} * options.block_size;
  const std::int64_t positions = std::clamp<std::int64_t>(pool_tokens, 1, config->context_tokens);
  auto model = model::LlamaModel::Load(file, {.threads = ThreadsOr(options.threads),
                                              .blocks_total = options.kv_blocks,
                                              .block_size = options.block_size,
                                              .rows_max = options.step_tokens_max,
                                              .samples_max = options.sequences_max,
                                              .positions_max = static_cast<std::int32_t>(positions)});
  if (model.status().code() == absl::StatusCode::kFailedPrecondition)
    return WithPath(model.status(), options.model_path);
  if (!model.ok()) return model.status();  // an option, or no memory
  return std::unique_ptr<Generator>(new LlmGenerator(NameOf(options.model_path), *std::move(codec), *std::move(model)));
}

absl::StatusOr<Generator::Prepared> LlmGenerator::Prepare(const GenerationRequest& request) const {
  std::vector<model::ChatMessage> messages;
  messages.reserve(request.messages.size());
  for (const Message& message : request.messages) messages.push_back({RoleName(message.role), message.content});
  auto prompt = codec_->EncodeChat(messages, /*add_generation_prompt=*/true);
  if (!prompt.ok()) return prompt.status();
  Prepared prepared;
  prepared.prompt = *std::move(prompt);
  prepared.generation = std::make_unique<LlmGeneration>(*this, request, prepared.prompt);
  return prepared;
}

absl::Status LlmGenerator::Forward(const kvcache::StepBatch& batch) {
  model_->ForwardStep(batch);
  return absl::OkStatus();
}

std::int32_t LlmGenerator::CountTokens(std::string_view text) const {
  return static_cast<std::int32_t>(codec_->tokenizer().CountTokens(text));
}

std::int32_t LlmGenerator::vocabulary_size() const { return codec_->tokenizer().vocab_size(); }

}  // namespace engine
