#include "libs/channel/internal/send_answer.h"

#include <cstdint>
#include <limits>
#include <optional>

#include "absl/status/statusor.h"
#include "libs/channel/internal/event_list.h"
#include "libs/channel/internal/field.h"
#include "libs/channel/internal/graph_error_table.h"

namespace channel {
namespace {

constexpr std::size_t kAnswerBytesMax = 1u << 20;
constexpr std::size_t kTraceIdBytesMax = 64;

std::int32_t CodeOf(const json::Value& value) {
  const std::int64_t code = value.AsInt64Lenient().value_or(-1);
  const bool fits = code >= -1 && code <= std::numeric_limits<std::int32_t>::max();
  return fits ? static_cast<std::int32_t>(code) : -1;
}

void DecideByError(int http_status, const json::Value& error, SendAnswer& answer) {
  answer.error_code = CodeOf(error.Find("code"));
  answer.error_subcode = CodeOf(error.Find("error_subcode"));
  if (answer.error_subcode < 0) answer.error_subcode = 0;
  answer.error_title = TextOf(error.Find("message"), kTitleBytesMax);
  answer.fbtrace_id = TextOf(error.Find("fbtrace_id"), kTraceIdBytesMax);
  if (const std::optional<GraphErrorRule> rule = FindGraphErrorRule(answer.error_code, answer.error_subcode)) {
    answer.verdict = rule->verdict;
    answer.backoff_scope = rule->backoff_scope;
    answer.retry_once = rule->retry_once;
    answer.error_class = rule->error_class;
  } else {
    // A code that is new to us: Meta's own hint, then the status.
    const bool retryable = FlagOf(error.Find("is_transient")) || http_status == 429 || http_status >= 500;
    answer.verdict = retryable ? SendVerdict::kRetry : SendVerdict::kFail;
  }
  if (http_status == 429 && answer.backoff_scope == BackoffScope::kReply) answer.backoff_scope = BackoffScope::kAccount;
}

// Not Graph's own word, but that of something in front of it, which may have passed the request on and lost the answer.
// Only two refusals are given before anything is passed on: a limiter's, and a proxy's that wants credentials.
void DecideByStatus(int http_status, SendAnswer& answer) {
  if (http_status == 429 || http_status == 407) {
    answer.verdict = SendVerdict::kRetry;
    answer.backoff_scope = BackoffScope::kAccount;
    answer.error_title = "refused without a Graph error object";
    return;
  }
  answer.verdict = SendVerdict::kInDoubt;
  answer.error_title = http_status >= 200 && http_status < 300 ? "success without a message id"
                                                               : "an answer without a Graph error object";
}

}  // namespace

SendAnswer DecodeSendAnswer(int http_status, std::string_view body,
                            const std::function<std::string(const json::Value& root)>& find_message_id) {
  SendAnswer answer;
  absl::StatusOr<json::Document> document = absl::InvalidArgumentError("too_large");
  if (body.size() <= kAnswerBytesMax) document = json::Document::Parse(body);
  if (document.ok()) {
    const json::Value root = document->root();
    if (const json::Value error = root.Find("error"); error.is_object()) {
      DecideByError(http_status, error, answer);
      return answer;
    }
    if (http_status >= 200 && http_status < 300) answer.message_id = find_message_id(root);
  }
  if (!answer.message_id.empty()) {
    answer.verdict = SendVerdict::kAccepted;
  } else {
    DecideByStatus(http_status, answer);
  }
  return answer;
}

}  // namespace channel
