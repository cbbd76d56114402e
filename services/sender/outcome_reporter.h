#pragma once

#include <cstddef>
#include <string>

#include "libs/app/event_loop.h"
#include "libs/session/client.h"
#include "services/sender/metrics.h"

namespace sender {

// Tells the session service what became of replies. The ledger is the truth and the history a projection of it, so a
// report is retried for a few minutes and then given up, counted; sends never wait for it.
//
// Threading: confined to the loop.
// Bound:     at most kReportsMax reports under way; beyond that a new one is given up at once.
class OutcomeReporter {
 public:
  OutcomeReporter(app::EventLoop* loop, session::Client* session, const Metrics* metrics)
      : loop_(loop), session_(session), metrics_(metrics) {}

  void Report(const mesh::bus::v1::ConversationId& conversation, const std::string& turn_id,
              mesh::session::v1::Outcome outcome, const telemetry::TraceContext& trace);

  std::size_t under_way() const { return under_way_; }

 private:
  static constexpr std::size_t kReportsMax = 20000;
  static constexpr int kAttemptsMax = 12;  // about four minutes

  void Try(const mesh::session::v1::SetOutcomeRequest& request, const telemetry::TraceContext& trace, int attempt);
  void End(std::string_view result);

  app::EventLoop* const loop_;
  session::Client* const session_;
  const Metrics* const metrics_;
  std::size_t under_way_ = 0;
};

}  // namespace sender
