#include "services/sender/outcome_reporter.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "libs/base/backoff.h"
#include "libs/base/may_retry.h"
#include "libs/session/validate.h"
#include "libs/telemetry/log.h"

namespace sender {
namespace {

constexpr base::Duration kRetryInitial = std::chrono::milliseconds(200);
constexpr base::Duration kRetryMax = std::chrono::seconds(30);

}  // namespace

void OutcomeReporter::Report(mesh::session::v1::SetOutcomeRequest report, const telemetry::TraceContext& trace,
                             std::function<void()> on_answered) {
  if (under_way_ >= kReportsMax) {
    metrics_->CountOutcomeReport("given_up");
    loop_->Post(std::move(on_answered));
    return;
  }
  // What session would refuse, or we cannot keep, must not take the outcome with it.
  if (report.reply_text().size() > std::min(session::kTextBytesMax, kTextBytesMax - text_bytes_)) {
    report.clear_reply_text();
  }
  ++under_way_;
  text_bytes_ += report.reply_text().size();
  auto pending = std::make_shared<Pending>();
  pending->report = std::move(report);
  pending->trace = trace;
  pending->on_answered = std::move(on_answered);
  Try(pending);
}

void OutcomeReporter::Try(const std::shared_ptr<Pending>& pending) {
  ++pending->attempt;
  session::Client::CallOptions options;
  options.trace = pending->trace.NewChild();
  session_->SetOutcome(pending->report, options,
                       [this, pending](const absl::StatusOr<mesh::session::v1::SetOutcomeResponse>& response) {
                         loop_->Post([this, pending, status = response.status()] { OnAnswer(pending, status); });
                       });
}

void OutcomeReporter::OnAnswer(const std::shared_ptr<Pending>& pending, const absl::Status& status) {
  if (status.ok()) return End(*pending, "done");
  if (!base::MayRetry(status)) {
    telemetry::Log(telemetry::LogLevel::kWarning, "outcome_report_given_up", pending->trace,
                   {{"error", status.ToString()}});
    return End(*pending, "given_up");
  }
  loop_->PostAfter(base::BackoffDelay(pending->attempt, kRetryInitial, kRetryMax, under_way_),
                   [this, pending] { Try(pending); });
}

void OutcomeReporter::End(const Pending& pending, std::string_view result) {
  --under_way_;
  text_bytes_ -= pending.report.reply_text().size();
  metrics_->CountOutcomeReport(result);
  pending.on_answered();
}

}  // namespace sender
