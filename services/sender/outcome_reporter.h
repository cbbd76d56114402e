#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "libs/app/event_loop.h"
#include "libs/session/client.h"
#include "services/sender/metrics.h"

namespace sender {

// Tells the session service what became of replies, and what their first record says. The ledger is the truth and the
// history a projection of it: a report is retried for as long as the process lives, and sends never wait for it.
//
// Threading: confined to the loop.
// Bound:     at most kReportsMax reports under way; beyond that a new one is given up at once, counted. Together they
//            hold at most kTextBytesMax of text; beyond that a new one says the outcome alone.
class OutcomeReporter {
 public:
  OutcomeReporter(app::EventLoop* loop, session::Client* session, const Metrics* metrics)
      : loop_(loop), session_(session), metrics_(metrics) {}

  // `on_answered` runs on the loop, once, never within this call: the report was taken, refused or given up.
  void Report(mesh::session::v1::SetOutcomeRequest report, const telemetry::TraceContext& trace,
              std::function<void()> on_answered);

  std::size_t under_way() const { return under_way_; }

 private:
  static constexpr std::size_t kReportsMax = 20000;
  static constexpr std::size_t kTextBytesMax = 64 << 20;

  struct Pending {
    mesh::session::v1::SetOutcomeRequest report;
    telemetry::TraceContext trace;
    std::function<void()> on_answered;
    int attempt = 0;
  };
  void Try(const std::shared_ptr<Pending>& pending);
  void OnAnswer(const std::shared_ptr<Pending>& pending, const absl::Status& status);
  void End(const Pending& pending, std::string_view result);

  app::EventLoop* const loop_;
  session::Client* const session_;
  const Metrics* const metrics_;
  std::size_t under_way_ = 0;
  std::size_t text_bytes_ = 0;  // of the reports under way
};

}  // namespace sender
