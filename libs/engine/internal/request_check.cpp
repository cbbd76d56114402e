#include "libs/engine/internal/request_check.h"

#include <cmath>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "libs/unicode/utf8.h"

namespace engine {
namespace {

constexpr std::size_t kTenantBytesMax = 256;
constexpr std::size_t kMessagesMax = 4096;
constexpr std::size_t kStopsMax = 16;
constexpr std::size_t kStopBytesMax = 256;
// No vocabulary in use has tokens that average more bytes over a whole text. A longer text can't fit the context, so it
// is refused before the tokenizer spends time on it.
constexpr std::size_t kBytesPerTokenMax = 64;

absl::Status OutOfBounds(const char* field, double value, const std::string& bounds) {
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", value, ", must be in ", bounds));
}

// The comparisons are written so that NaN fails them.
absl::Status CheckSampling(const SamplingParams& sampling, std::int32_t vocabulary_size) {
  if (!(sampling.temperature >= 0.0F && sampling.temperature <= 10.0F)) {
    return OutOfBounds("sampling.temperature", sampling.temperature, "[0, 10]");
  }
  if (sampling.top_k < 0 || sampling.top_k > vocabulary_size) {
    return OutOfBounds("sampling.top_k", sampling.top_k, absl::StrCat("[0, ", vocabulary_size, "]"));
  }
  if (!(sampling.top_p > 0.0F && sampling.top_p <= 1.0F))
    return OutOfBounds("sampling.top_p", sampling.top_p, "(0, 1]");
  if (!(sampling.min_p >= 0.0F && sampling.min_p < 1.0F))
    return OutOfBounds("sampling.min_p", sampling.min_p, "[0, 1)");
  if (!(sampling.repetition_penalty > 0.0F && sampling.repetition_penalty <= 10.0F)) {
    return OutOfBounds("sampling.repetition_penalty", sampling.repetition_penalty, "(0, 10]");
  }
  return absl::OkStatus();
}

absl::Status CheckMessages(const std::vector<Message>& messages, std::int32_t context_tokens_max) {
  if (messages.empty()) return absl::InvalidArgumentError("messages is empty");
  if (messages.size() > kMessagesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("messages has ", messages.size(), " entries, at most ", kMessagesMax));
  }
  const std::size_t bytes_max = kBytesPerTokenMax * static_cast<std::size_t>(context_tokens_max);
  std::size_t bytes = 0;
  for (const Message& message : messages) {
    if (message.role != Role::kSystem && message.role != Role::kUser && message.role != Role::kAssistant) {
      return absl::InvalidArgumentError("messages holds an unknown role");
    }
    bytes += message.content.size();
    if (bytes > bytes_max) {
      return absl::InvalidArgumentError(absl::StrCat(
          "messages hold more than ", bytes_max, " bytes, which no context of ", context_tokens_max, " tokens takes"));
    }
  }
  if (messages.back().content.empty()) return absl::InvalidArgumentError("the last of messages is empty");
  return absl::OkStatus();
}

absl::Status CheckStops(const std::vector<std::string>& stops) {
  if (stops.size() > kStopsMax) {
    return absl::InvalidArgumentError(absl::StrCat("stop has ", stops.size(), " strings, at most ", kStopsMax));
  }
  for (std::size_t i = 0; i < stops.size(); ++i) {
    if (stops[i].empty() || stops[i].size() > kStopBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("stop[", i, "] has ", stops[i].size(), " bytes, must be in [1, ", kStopBytesMax, "]"));
    }
    // The answer is valid UTF-8, so such a string could never match.
    if (!unicode::IsValidUtf8(stops[i])) return absl::InvalidArgumentError(absl::StrCat("stop[", i, "] is not UTF-8"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRequest(const GenerationRequest& request, std::int32_t vocabulary_size,
                          std::int32_t context_tokens_max) {
  if (request.tenant.size() > kTenantBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("tenant has ", request.tenant.size(), " bytes, at most ", kTenantBytesMax));
  }
  if (request.tokens_max < 1 || request.tokens_max > context_tokens_max) {
    return OutOfBounds("tokens_max", request.tokens_max, absl::StrCat("[1, ", context_tokens_max, "]"));
  }
  if (request.mode != Mode::kInstant && request.mode != Mode::kThinking && request.mode != Mode::kContemplating) {
    return absl::InvalidArgumentError("mode is unknown");
  }
  if (request.branches < 1 || request.branches > kBranchesMax) {
    return OutOfBounds("branches", request.branches, absl::StrCat("[1, ", kBranchesMax, "]"));
  }
  if (absl::Status status = CheckMessages(request.messages, context_tokens_max); !status.ok()) return status;
  if (absl::Status status = CheckStops(request.stop); !status.ok()) return status;
  return CheckSampling(request.sampling, vocabulary_size);
}

}  // namespace engine
