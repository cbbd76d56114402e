// What a sender hears and tells besides sending: statuses to evidence, dead letters, parked replies, outcomes.
#include <algorithm>
#include <chrono>
#include <utility>

#include "libs/base/backoff.h"
#include "libs/base/hex.h"
#include "tests/sim/sender_process.h"
#include "tests/sim/world.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::Duration kWatchInterval = seconds(1);  // as in status_watch.cpp and app.cpp
constexpr base::Duration kWatchBehindMax = seconds(4);
constexpr base::Duration kWatchWantedFor = seconds(10);
constexpr base::Duration kStatusRetryInitial = milliseconds(100);
constexpr base::Duration kStatusRetryMax = seconds(5);
constexpr base::Duration kReportRetryInitial = milliseconds(200);  // as in outcome_reporter.cpp
constexpr base::Duration kReportRetryMax = seconds(30);

}  // namespace

// --- StatusConsumer ---

void SenderProcess::Statuses::OnRevoked(int partition, bool /*lost*/) { held_.erase(partition); }

void SenderProcess::Statuses::OnRecord(bus::Record record) {
  auto origin = std::make_shared<const bus::Record>(std::move(record));
  mesh::bus::v1::DeliveryStatus status;
  status.ParseFromString(origin->value);
  if (self_->world_->mistake == Mistake::kEvidenceDropped) return Finish(*origin);
  Append(origin, std::make_shared<const ledger::LedgerEntry>(ledger::MakeEvidence(status, self_->WallMs())),
         /*attempt=*/1);
}

void SenderProcess::Statuses::Append(std::shared_ptr<const bus::Record> origin,
                                     std::shared_ptr<const ledger::LedgerEntry> entry, int attempt) {
  if (!held_.contains(origin->partition)) return;
  self_->AppendLedger(origin->partition, *entry, {},
                      [this, origin, entry, attempt](absl::StatusOr<std::int64_t> offset) {
                        if (offset.ok()) return Finish(*origin);
                        self_->After(base::BackoffDelay(attempt, kStatusRetryInitial, kStatusRetryMax,
                                                        static_cast<std::uint64_t>(origin->offset)),
                                     [this, origin, entry, attempt] { Append(origin, entry, attempt + 1); });
                      });
}

void SenderProcess::Statuses::Finish(const bus::Record& record) {
  self_->statuses_member_.MarkDone(record.partition, record.offset);
}

// --- StatusWatch ---

base::Duration SenderProcess::StatusesCoveredSince(std::int32_t partition, base::MonotonicTime since) {
  Watched& watched =
      watched_.try_emplace(partition, Watched{sender::StatusCoverage(kWatchBehindMax), {}}).first->second;
  watched.wanted_at = Now();
  if (!std::exchange(watched.asking, true)) AskAboutStatuses(partition);
  return watched.coverage.CoveredSince(since);
}

void SenderProcess::AskAboutStatuses(int partition) {
  const base::MonotonicTime asked_at = Now();
  if (asked_at - watched_.at(partition).wanted_at > kWatchWantedFor) {
    watched_.erase(partition);
    return;
  }
  const bool down = world_->BrokerDown();
  struct Lag {
    std::int64_t end = 0;
    std::int64_t committed = 0;
  };
  auto lag = std::make_shared<Lag>();
  const base::Duration there = world_->Latency();
  world_->time.After(there, [world = world_, partition, lag] {
    *lag = {world->log.End(Topic::kStatuses, partition),
            std::max<std::int64_t>(0, world->status_group.committed(partition))};
  });
  After(there + world_->Latency() + base::Duration(1), [this, partition, asked_at, lag, down] {
    Watched& watched = watched_.at(partition);
    if (down) {
      watched.coverage.OnNoAnswer();
    } else {
      watched.coverage.OnAnswer(asked_at, lag->end, lag->committed);
    }
    After(kWatchInterval, [this, partition] { AskAboutStatuses(partition); });
  });
}

// --- Records about replies ---

int SenderProcess::TurnOf(const bus::Record& origin) const {
  mesh::bus::v1::ReplyRecord decoded;
  decoded.ParseFromString(origin.value);
  const TurnFact* turn =
      world_->FindTurn(decoded.has_reply() ? decoded.reply().turn_id() : decoded.supersede().turn_id());
  return turn == nullptr ? -1 : turn->number;
}

void SenderProcess::Produce(std::function<std::int64_t()> land, Written on_done) {
  world_->Produce(*this, std::move(land),
                  [on_done = std::move(on_done)](absl::StatusOr<std::int64_t> offset) { on_done(offset.status()); });
}

void SenderProcess::WriteDeadLetter(const bus::Record& origin, bus::DeadLetterReason reason, std::string_view,
                                    std::uint32_t, Written on_done) {
  Produce(
      [this, turn = TurnOf(origin), reason]() -> std::int64_t {
        world_->Trace([&] { return name() + " writes a dead letter of t" + std::to_string(turn); });
        world_->dead_letters.push_back({std::string(NameOf(Topic::kReplies)), turn, reason});
        return 0;
      },
      std::move(on_done));
}

void SenderProcess::WriteParked(const bus::Record& origin, sender::ParkReason reason, Appended on_done) {
  world_->Produce(
      *this,
      [this, turn = TurnOf(origin), copy = sender::ParkedCopy(origin, reason), reason] {
        world_->Trace(
            [&] { return name() + " parks t" + std::to_string(turn) + ": " + std::string(ToString(reason)); });
        return world_->log.Append(Topic::kParked, copy.partition, copy);
      },
      std::move(on_done));
}

void SenderProcess::ReadParked(std::int32_t partition, const std::vector<std::int64_t>& offsets,
                               std::function<void(absl::StatusOr<std::vector<bus::Record>>)> on_done) {
  const Fate fate = world_->BrokerDown() ? Fate::kNotDone : world_->FateOf(*this);
  After(world_->Latency(), [this, partition, offsets, fate, on_done = std::move(on_done)] {
    if (fate != Fate::kDone) return on_done(absl::DeadlineExceededError("not read"));
    std::vector<bus::Record> copies;
    for (const std::int64_t offset : offsets) {
      if (world_->GapHappens()) continue;
      copies.push_back(world_->log.records(Topic::kParked, partition)[static_cast<std::size_t>(offset)]);
    }
    on_done(std::move(copies));
  });
}

void SenderProcess::WriteReply(const std::string& conversation_key, const mesh::bus::v1::ReplyRecord& value,
                               const telemetry::TraceContext&, Written on_done) {
  bus::Record record;
  record.key = conversation_key;
  record.value = value.SerializeAsString();
  const int partition = world_->FindTurn(value.reply().turn_id())->partition;
  Produce(
      [this, partition, record = std::move(record)] {
        const std::int64_t offset = world_->log.Append(Topic::kReplies, partition, record);
        world_->Trace([&] { return name() + " writes a notice, replies@" + std::to_string(offset); });
        return offset;
      },
      std::move(on_done));
}

void SenderProcess::WriteAudit(const mesh::bus::v1::AuditRecord& audit, const telemetry::TraceContext&,
                               Written on_done) {
  const bool is_drop = audit.has_policy_drop();
  const std::string& turn_id = is_drop ? audit.policy_drop().turn_id() : audit.sent_after_all().turn_id();
  Produce(
      [this, is_drop, turn = world_->FindTurn(turn_id)->number]() -> std::int64_t {
        if (is_drop && world_->mistake == Mistake::kDropUnaudited) return 0;
        world_->Trace([&] {
          return name() + " says that t" + std::to_string(turn) + (is_drop ? " was dropped" : " was sent after all");
        });
        (is_drop ? world_->dropped : world_->sent_after_all).insert(turn);
        return 0;
      },
      std::move(on_done));
}

// --- OutcomeReporter ---

void SenderProcess::ReportOutcome(const mesh::session::v1::SetOutcomeRequest& report, const telemetry::TraceContext&,
                                  std::function<void()> on_answered) {
  TryReport(report, std::move(on_answered), /*attempt=*/1);
}

void SenderProcess::TryReport(const mesh::session::v1::SetOutcomeRequest& report, std::function<void()> on_answered,
                              int attempt) {
  world_->Call(
      *this, /*up=*/!world_->StoreDown(),
      [world = world_, report] {
        world->store.SetOutcome(report.turn_id(), report.outcome(), report.reply_text(),
                                report.reply_text().empty() ? -1 : report.replies_offset(), report.generation());
      },
      [this, report, on_answered = std::move(on_answered), attempt](bool answered) {
        if (answered) return on_answered();
        After(base::BackoffDelay(attempt, kReportRetryInitial, kReportRetryMax, /*seed=*/1),
              [this, report, on_answered, attempt] { TryReport(report, on_answered, attempt + 1); });
      });
}

}  // namespace sim
