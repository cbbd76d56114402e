#include "services/sender/outcome_reporter.h"

#include <chrono>
#include <utility>

#include "libs/base/backoff.h"
#include "libs/telemetry/log.h"

namespace sender {
namespace {

constexpr base::Duration kRetryInitial = std::chrono::milliseconds(200);
constexpr base::Duration kRetryMax = std::chrono::seconds(30);

bool IsRetryable(absl::StatusCode code) {
  return code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kDeadlineExceeded ||
         code == absl::StatusCode::kAborted || code == absl::StatusCode::kResourceExhausted;
}

}  // namespace

void OutcomeReporter::Report(const mesh::bus::v1::ConversationId& conversation, const std::string& turn_id,
                             mesh::session::v1::Outcome outcome, const telemetry::TraceContext& trace) {
  if (under_way_ >= kReportsMax) return metrics_->CountOutcomeReport("given_up");
  ++under_way_;
  mesh::session::v1::SetOutcomeRequest request;
  *request.mutable_conversation() = conversation;
  request.set_turn_id(turn_id);
  request.set_outcome(outcome);
  Try(request, trace, /*attempt=*/1);
}

void OutcomeReporter::Try(const mesh::session::v1::SetOutcomeRequest& request, const telemetry::TraceContext& trace,
                          int attempt) {
  session::Client::CallOptions options;
  options.trace = trace.NewChild();
  session_->SetOutcome(request, options,
                       [this, request, trace, attempt](absl::StatusOr<mesh::session::v1::SetOutcomeResponse> response) {
                         loop_->Post([this, request, trace, attempt, status = response.status()] {
                           if (status.ok()) return End("done");
                           if (!IsRetryable(status.code()) || attempt >= kAttemptsMax) {
                             telemetry::Log(telemetry::LogLevel::kWarning, "outcome_report_given_up", trace,
                                            {{"error", status.ToString()}});
                             return End("given_up");
                           }
                           loop_->PostAfter(base::BackoffDelay(attempt, kRetryInitial, kRetryMax, under_way_),
                                            [this, request, trace, attempt] { Try(request, trace, attempt + 1); });
                         });
                       });
}

void OutcomeReporter::End(std::string_view result) {
  --under_way_;
  metrics_->CountOutcomeReport(result);
}

}  // namespace sender
