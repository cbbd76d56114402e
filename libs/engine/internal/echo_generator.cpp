#include "libs/engine/internal/echo_generator.h"

#include <algorithm>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "libs/sampler/stop_matcher.h"
#include "libs/unicode/utf8.h"

namespace engine {
namespace {

constexpr std::size_t kCodePointsPerToken = 4;
constexpr std::int32_t kVocabularySize = 1 << 16;

// End of the token that starts at `offset`.
std::size_t NextToken(std::string_view text, std::size_t offset, std::size_t code_points = kCodePointsPerToken) {
  for (std::size_t i = 0; i < code_points && offset < text.size(); ++i) {
    offset += unicode::DecodeUtf8(text, offset).length;
  }
  return offset;
}

// Some id for a piece of text; the same for equal pieces.
std::int32_t TokenOf(std::string_view piece) {
  return static_cast<std::int32_t>(std::hash<std::string_view>{}(piece) % kVocabularySize);
}

class EchoGeneration final : public Generation {
 public:
  EchoGeneration(std::string answer, std::size_t code_points_per_token, const std::vector<std::string>& stops)
      : answer_(std::move(answer)), code_points_per_token_(code_points_per_token), stops_(stops) {}

  absl::StatusOr<Next> PickToken(std::int32_t /*sample*/) override {
    if (at_ == answer_.size()) return Next{.ended = FinishReason::kEndOfTurn, .counts = false};
    const std::size_t end = NextToken(answer_, at_, code_points_per_token_);
    const std::string_view piece = std::string_view(answer_).substr(at_, end - at_);
    at_ = end;
    Next next{.token = TokenOf(piece), .ended = {}};
    if (stops_.Append(piece, text_)) next.ended = FinishReason::kStopString;
    return next;
  }

  std::string_view text() const override { return text_; }
  std::string TakeText() override {
    stops_.Finish(text_);
    return std::move(text_);
  }

 private:
  const std::string answer_;  // valid UTF-8
  const std::size_t code_points_per_token_;
  std::size_t at_ = 0;
  sampler::StopMatcher stops_;
  std::string text_;
};

}  // namespace

absl::StatusOr<Generator::Prepared> EchoGenerator::Prepare(const GenerationRequest& request) const {
  Prepared prepared;
  const Message* question = &request.messages.back();
  for (const Message& message : request.messages) {
    if (message.role == Role::kUser) question = &message;
    const std::string_view text = message.content;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = NextToken(text, at);
      prepared.prompt.push_back(TokenOf(text.substr(at, end - at)));
      at = end;
    }
  }
  const std::string answer = "echo: " + unicode::SanitizeUtf8(question->content);
  std::size_t per_token = kCodePointsPerToken;
  if (steps_max_ > 0) {
    const auto steps_max = static_cast<std::size_t>(steps_max_);
    per_token = std::max(per_token, (unicode::CodePointCount(answer) + steps_max - 1) / steps_max);
  }
  for (std::int32_t i = 0; i < request.branches; ++i) {
    prepared.generations.push_back(std::make_unique<EchoGeneration>(answer, per_token, request.stop));
  }
  return prepared;
}

absl::Status EchoGenerator::StartStep(const kvcache::StepBatch& /*batch*/, std::span<Generation* const> /*samples*/) {
  if (step_time_ > base::Duration{}) std::this_thread::sleep_for(step_time_);
  return absl::OkStatus();
}

std::int32_t EchoGenerator::vocabulary_size() const { return kVocabularySize; }

std::int32_t EchoGenerator::CountTokens(std::string_view text) const {
  const std::size_t code_points = unicode::CodePointCount(text);
  return static_cast<std::int32_t>((code_points + kCodePointsPerToken - 1) / kCodePointsPerToken);
}

}  // namespace engine
