#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/sender/sender_core.h"
#include "services/sender/status_coverage.h"
#include "tests/sim/fake_group.h"
#include "tests/sim/timeline.h"

namespace sim {

// A sender: the real SenderCore with its lanes, ledger state, limiter and StatusCoverage, over the made-up world.
// Around it models of what is bound to threads and sockets: ReplyIntake here, in the order of
// services/sender/reply_intake.cpp, and StatusConsumer, StatusWatch and OutcomeReporter in sender_reports.cpp.
class SenderProcess final : public Process, public sender::Effects {
 public:
  SenderProcess(World* world, int number);
  ~SenderProcess() override;

  GroupMember* replies_member() { return &replies_member_; }
  GroupMember* statuses_member() { return &statuses_member_; }

  base::MonotonicTime Now() const override;
  std::int64_t WallMs() const override;
  void RunAfter(base::Duration delay, std::function<void()> task) override;
  void AppendLedger(std::int32_t partition, const ledger::LedgerEntry& entry, const telemetry::TraceContext& trace,
                    Appended on_done) override;
  void Post(Send send, std::function<void(http::ClientResult)> on_done) override;
  void WriteDeadLetter(const bus::Record& origin, bus::DeadLetterReason reason, std::string_view detail,
                       std::uint32_t attempts, Written on_done) override;
  void WriteParked(const bus::Record& origin, sender::ParkReason reason, Appended on_done) override;
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
  base::Duration StatusesCoveredSince(std::int32_t partition, base::MonotonicTime since) override;

 private:
  class Replies final : public MemberHandler {
   public:
    explicit Replies(SenderProcess* self) : self_(self) {}
    void OnAssigned(int partition) override;
    void OnRevoked(int partition, bool lost) override;
    void OnRecord(bus::Record record) override;
    void OnOwned(int partition);
    void MarkDone(int partition, std::int64_t offset);

   private:
    struct Window {
      std::shared_ptr<sender::Lease> lease;
      std::set<std::int64_t> in_hand;
      bool owned = false;
      bool full = false;
    };
    SenderProcess* const self_;
    std::map<int, Window> windows_;
  };

  class Statuses final : public MemberHandler {
   public:
    explicit Statuses(SenderProcess* self) : self_(self) {}
    void OnAssigned(int partition) override { held_.insert(partition); }
    void OnRevoked(int partition, bool lost) override;
    void OnRecord(bus::Record record) override;

   private:
    void Append(std::shared_ptr<const bus::Record> origin, std::shared_ptr<const ledger::LedgerEntry> entry,
                int attempt);
    void Finish(const bus::Record& record);

    SenderProcess* const self_;
    std::set<int> held_;
  };

  struct Watched {  // of StatusWatch
    sender::StatusCoverage coverage;
    base::MonotonicTime wanted_at;
    bool asking = false;
  };
  struct LedgerReader {
    std::size_t next = 0;
    bool reading = false;
  };

  void ReadLedger(int partition);
  void AskAboutStatuses(int partition);
  bool Hides(const FakeLog::LedgerRow& row) const;
  void TryReport(const mesh::session::v1::SetOutcomeRequest& report, std::function<void()> on_answered, int attempt);
  void Produce(std::function<std::int64_t()> land, Written on_done);
  int TurnOf(const bus::Record& origin) const;

  World* const world_;
  Replies replies_;
  Statuses statuses_;
  GroupMember replies_member_;
  GroupMember statuses_member_;
  std::map<int, LedgerReader> readers_;
  std::map<int, Watched> watched_;
  std::set<std::string> posting_;  // claimed by this process and not answered: for the mistake kSkipReadBack
  std::unique_ptr<sender::SenderCore> core_;
};

}  // namespace sim
