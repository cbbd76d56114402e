#include "libs/engine/internal/llm_generator.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/engine/internal/device_backend.h"
#include "libs/engine/internal/host_backend.h"
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

// Text of the file may be in a reason: what a terminal or a log would take for a command is left out, and the rest cut.
std::string Shown(std::string_view reason) {
  constexpr std::size_t kShownMax = 400;
  std::string shown(reason.substr(0, kShownMax));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return reason.size() > kShownMax ? shown + "..." : shown;
}

// What a library calls an invalid argument is a bad file here: InvalidArgument is for the options.
absl::Status WithPath(const absl::Status& status, const std::string& path) {
  const bool argument = status.code() == absl::StatusCode::kInvalidArgument;
  const std::string_view reason(status.message().data(), status.message().size());
  return absl::Status(argument ? absl::StatusCode::kFailedPrecondition : status.code(),
                      absl::StrCat("model file ", path, ": ", Shown(reason)));
}

// The request's own, and what ends a turn where the model has no token for it.
std::vector<std::string> StopsOf(const GenerationRequest& request, const std::vector<std::string>& turn_ends) {
  std::vector<std::string> stops = request.stop;
  if (!request.ignore_end_of_turn) stops.insert(stops.end(), turn_ends.begin(), turn_ends.end());
  return stops;
}

}  // namespace

class LlmGenerator::LlmGeneration final : public Generation {
 public:
  // `sampling` is the branch's own.
  LlmGeneration(const LlmGenerator& owner, const GenerationRequest& request, const SamplingParams& sampling,
                std::span<const std::int32_t> prompt)
      : owner_(owner),
        choice_(owner.backend_->NewChoice(sampling, prompt)),
        detokenizer_(owner.codec_->tokenizer()),
        stops_(StopsOf(request, owner.codec_->answer_stops())),
        at_space_(owner.codec_->answers_start_with_space()),
        ignore_end_of_turn_(request.ignore_end_of_turn) {}

  TokenChoice* choice() const { return choice_.get(); }

  absl::StatusOr<Next> PickToken(std::int32_t sample) override {
    const absl::StatusOr<std::int32_t> token = owner_.backend_->Pick(sample, *choice_);
    if (!token.ok()) return token.status();
    if (!ignore_end_of_turn_ && owner_.codec_->tokenizer().IsEndOfGeneration(*token)) {
      return Next{.token = *token, .ended = FinishReason::kEndOfTurn, .counts = false};
    }
    Next next{.token = *token, .ended = {}};
    std::string piece;
    detokenizer_.Append(*token, piece);
    if (at_space_ && !piece.empty()) {
      at_space_ = false;
      if (piece.front() == ' ') piece.erase(0, 1);
    }
    stopped_ = stops_.Append(piece, text_);
    if (stopped_) next.ended = FinishReason::kStopString;
    return next;
  }

  std::string_view text() const override { return text_; }

  // A code point that the last token cut in half is dropped: it says nothing, and U+FFFD would only look broken.
  std::string TakeText() override {
    if (!stopped_) stops_.Finish(text_);
    return std::move(text_);
  }

 private:
  const LlmGenerator& owner_;
  const std::unique_ptr<TokenChoice> choice_;
  tokenizer::Detokenizer detokenizer_;
  sampler::StopMatcher stops_;
  bool at_space_;  // the next text is the first, whose space is not part of the answer
  const bool ignore_end_of_turn_;
  bool stopped_ = false;
  std::string text_;
};

LlmGenerator::LlmGenerator(std::string name, std::int32_t context_tokens, std::unique_ptr<const model::ChatCodec> codec,
                           std::unique_ptr<StepBackend> backend)
    : name_(std::move(name)), context_tokens_(context_tokens), codec_(std::move(codec)), backend_(std::move(backend)) {}

absl::StatusOr<std::unique_ptr<Generator>> LlmGenerator::Load(const EngineOptions& options) {
  if (options.device != "cpu") {
    if (absl::Status status = DeviceBackend::Check(options); !status.ok()) return status;
  }
  absl::StatusOr<std::unique_ptr<tensor::GgufFile>> opened = tensor::GgufFile::Open(options.model_path);
  if (!opened.ok()) return opened.status();  // names the path
  const std::shared_ptr<const tensor::GgufFile> file = *std::move(opened);

  absl::StatusOr<std::unique_ptr<const model::ChatCodec>> codec = model::ChatCodec::Load(*file);
  if (!codec.ok()) return WithPath(codec.status(), options.model_path);

  const absl::StatusOr<model::DecoderConfig> config = model::DecoderConfig::FromGguf(*file);
  if (!config.ok()) return WithPath(config.status(), options.model_path);
  const std::int32_t tokens = (*codec)->tokenizer().vocab_size();
  if (tokens > config->vocabulary) {
    return WithPath(absl::FailedPreconditionError(absl::StrCat("the tokenizer has ", tokens, " tokens, the embedding ",
                                                               config->vocabulary, " rows")),
                    options.model_path);
  }
  auto backend =
      options.device == "cpu" ? HostBackend::Load(file, options, tokens) : DeviceBackend::Load(*file, options, tokens);
  if (backend.status().code() == absl::StatusCode::kFailedPrecondition) {
    return WithPath(backend.status(), options.model_path);
  }
  if (!backend.ok()) return backend.status();  // an option, or no memory
  return std::unique_ptr<Generator>(
      new LlmGenerator(NameOf(options.model_path), config->context_tokens, *std::move(codec), *std::move(backend)));
}

absl::StatusOr<Generator::Prepared> LlmGenerator::Prepare(const GenerationRequest& request) const {
  std::vector<model::ChatMessage> messages;
  messages.reserve(request.messages.size());
  for (const Message& message : request.messages) messages.push_back({RoleName(message.role), message.content});
  auto prompt = codec_->EncodeChat(messages, /*add_generation_prompt=*/true);
  if (!prompt.ok()) return prompt.status();
  Prepared prepared;
  prepared.prompt = *std::move(prompt);
  SamplingParams sampling = request.sampling;
  for (std::int32_t branch = 0; branch < request.branches; ++branch, ++sampling.seed) {
    prepared.generations.push_back(std::make_unique<LlmGeneration>(*this, request, sampling, prepared.prompt));
  }
  return prepared;
}

absl::Status LlmGenerator::StartStep(const kvcache::StepBatch& batch, std::span<Generation* const> samples) {
  choices_.clear();
  for (Generation* generation : samples) choices_.push_back(static_cast<LlmGeneration*>(generation)->choice());
  return backend_->StartStep(batch, choices_);
}

std::int32_t LlmGenerator::CountTokens(std::string_view text) const {
  return static_cast<std::int32_t>(codec_->tokenizer().CountTokens(text));
}

std::int32_t LlmGenerator::vocabulary_size() const { return codec_->tokenizer().vocab_size(); }

}  // namespace engine
