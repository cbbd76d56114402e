#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libs/account/account_book.h"
#include "libs/app/event_loop.h"
#include "libs/bus/producer.h"
#include "services/sender/effects.h"
#include "services/sender/ledger_log.h"
#include "services/sender/outcome_reporter.h"
#include "services/sender/parked_reader.h"
#include "services/sender/status_watch.h"

namespace sender {

// The sender's effects on the real world: Kafka, the Graph API over HTTP, the session service.
//
// Threading: as Effects, but Now() from any thread.
// Lifetime:  everything given outlives it; `ledger`, `parked` and `http` may be set later, before the first use.
class LiveEffects final : public Effects {
 public:
  struct Parts {
    app::EventLoop* loop = nullptr;
    bus::Producer* producer = nullptr;
    http::Client* http = nullptr;
    LedgerLog* ledger = nullptr;
    ParkedReader* parked = nullptr;
    OutcomeReporter* reporter = nullptr;
    const account::AccountFile* accounts = nullptr;
    const base::Clock* clock = nullptr;
    StatusWatch* status_watch = nullptr;
    bus::BusOptions bus;
  };
  explicit LiveEffects(Parts parts) : parts_(std::move(parts)) {}

  Parts& parts() { return parts_; }

  base::MonotonicTime Now() const override { return parts_.clock->Now(); }
  std::int64_t WallMs() const override { return parts_.clock->WallMs(); }
  void RunAfter(base::Duration delay, std::function<void()> task) override;
  void AppendLedger(std::int32_t partition, const ledger::LedgerEntry& entry, const telemetry::TraceContext& trace,
                    Appended on_done) override;
  void Post(Send send, std::function<void(http::ClientResult)> on_done) override;
  void WriteDeadLetter(const bus::Record& origin, bus::DeadLetterReason reason, std::string_view detail,
                       std::uint32_t attempts, Written on_done) override;
  void WriteParked(const bus::Record& origin, ParkReason reason, Appended on_done) override;
  void ReadParked(std::int32_t partition, const std::vector<std::int64_t>& offsets,
                  std::function<void(absl::StatusOr<std::vector<bus::Record>>)> on_done) override;
  void WriteReply(const std::string& conversation_key, const mesh::bus::v1::ReplyRecord& record,
                  const telemetry::TraceContext& trace, Written on_done) override;
  void WriteAudit(const mesh::bus::v1::AuditRecord& audit, const telemetry::TraceContext& trace,
                  Written on_done) override;
  void ReportOutcome(const mesh::session::v1::SetOutcomeRequest& report, const telemetry::TraceContext& trace,
                     std::function<void()> on_answered) override;
  std::shared_ptr<const account::Account> FindAccount(const mesh::bus::v1::ConversationId& conversation) const override;
  const channel::Codec* FindCodec(mesh::bus::v1::Channel channel) const override;
  base::Duration StatusesCoveredSince(std::int32_t partition, base::MonotonicTime since) override {
    return parts_.status_watch->CoveredSince(partition, since);
  }

 private:
  bus::DeliveryCallback OnLoop(Written on_done) const;

  Parts parts_;
};

}  // namespace sender
