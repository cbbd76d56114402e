#include "services/sender/status_consumer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "libs/base/backoff.h"
#include "libs/base/byte_key.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"
#include "services/sender/ledger_log.h"
#include "services/sender/write_failure.h"

namespace sender {
namespace {

constexpr char kStatusType[] = "mesh.bus.v1.DeliveryStatus";
constexpr base::Duration kRetryInitial = std::chrono::milliseconds(100);
constexpr base::Duration kRetryMax = std::chrono::seconds(5);

bus::TopicPartition PlaceOf(const bus::Record& record) { return {record.topic, record.partition}; }

}  // namespace

StatusConsumer::StatusConsumer(const bus::BusOptions& bus, std::int32_t partitions, app::EventLoop* loop,
                               bus::Producer* producer, const Metrics* metrics, const base::Clock* clock)
    : bus_(bus), partitions_(partitions), loop_(loop), producer_(producer), metrics_(metrics), clock_(clock) {}

void StatusConsumer::OnAssigned(const bus::TopicPartition& partition, std::int64_t, std::string_view) {
  std::lock_guard lock(mutex_);
  held_.insert(partition);
}

void StatusConsumer::OnRevoked(const bus::TopicPartition& partition, bool) {
  std::set<bus::TopicPartition> resume;
  {
    std::lock_guard lock(mutex_);
    held_.erase(partition);
    paused_.erase(partition);
    std::erase_if(in_flight_, [&](const auto& entry) { return entry.first == partition; });
    resume = TakeResumable();
  }
  for (const bus::TopicPartition& paused : resume) consumer_->Resume(paused);
}

void StatusConsumer::OnRecord(bus::Record record) {
  Begin(record);
  auto origin = std::make_shared<const bus::Record>(std::move(record));
  if (!bus::IsOfType(origin->headers, kStatusType)) return Refuse(origin, bus::DeadLetterReason::kUnknownSchema, 1);
  mesh::bus::v1::DeliveryStatus status;
  if (!status.ParseFromString(origin->value)) return Refuse(origin, bus::DeadLetterReason::kUndecodable, 1);
  if (identity::KeyOf(status.conversation()).value() != origin->key) {
    return Refuse(origin, bus::DeadLetterReason::kKeyMismatch, 1);
  }
  auto entry = std::make_shared<const ledger::LedgerEntry>(ledger::MakeEvidence(status, clock_->WallMs()));
  if (entry->key.empty()) {
    metrics_->CountStatus("nothing_named");
    return Finish(*origin);
  }
  if (WasTold(*entry)) {
    metrics_->CountStatus("repeated");
    return Finish(*origin);
  }
  Append(origin, entry, /*attempt=*/1);
}

void StatusConsumer::Append(std::shared_ptr<const bus::Record> origin, std::shared_ptr<const ledger::LedgerEntry> entry,
                            int attempt) {
  if (!Held(PlaceOf(*origin))) return;  // its next reader appends it
  const telemetry::TraceContext trace = bus::TraceOf(origin->headers);
  producer_->Produce(ToOutgoing(bus_, bus::PartitionFor(origin->key, partitions_), *entry, trace),
                     [this, origin, entry, attempt](absl::StatusOr<bus::RecordPosition> position) {
                       if (position.ok()) {
                         Remember(*entry);
                         metrics_->CountStatus("evidence");
                         return Finish(*origin);
                       }
                       if (JudgeWrite(bus::kSendLedger, position.status(), attempt) == WriteFailure::kTooLarge) {
                         return Refuse(origin, bus::DeadLetterReason::kTooLarge, 1);
                       }
                       loop_->PostAfter(base::BackoffDelay(attempt, kRetryInitial, kRetryMax,
                                                           static_cast<std::uint64_t>(origin->offset)),
                                        [this, origin, entry, attempt] { Append(origin, entry, attempt + 1); });
                     });
}

void StatusConsumer::Refuse(std::shared_ptr<const bus::Record> origin, bus::DeadLetterReason reason, int attempt) {
  if (!Held(PlaceOf(*origin))) return;
  bus::ProduceDeadLetter(*producer_, bus_, *origin, reason, "delivery status", static_cast<std::uint32_t>(attempt),
                         "sender", [this, origin, reason, attempt](absl::StatusOr<bus::RecordPosition> position) {
                           if (position.ok()) {
                             metrics_->CountStatus("dead_letter");
                             metrics_->CountDeadLetter(bus::ToString(reason));
                             return Finish(*origin);
                           }
                           if (JudgeWrite(bus::kDeadLetter, position.status(), attempt) == WriteFailure::kTooLarge) {
                             CrashAsTooLarge(bus::kDeadLetter, position.status());
                           }
                           loop_->PostAfter(base::BackoffDelay(attempt, kRetryInitial, kRetryMax,
                                                               static_cast<std::uint64_t>(origin->offset)),
                                            [this, origin, reason, attempt] { Refuse(origin, reason, attempt + 1); });
                         });
}

void StatusConsumer::Begin(const bus::Record& record) {
  bool pause = false;
  {
    std::lock_guard lock(mutex_);
    in_flight_.insert({PlaceOf(record), record.offset});
    pause = in_flight_.size() >= kInFlightMax && paused_.insert(PlaceOf(record)).second;
  }
  if (pause) consumer_->Pause(PlaceOf(record));
}

void StatusConsumer::Finish(const bus::Record& record) {
  consumer_->MarkDone(PlaceOf(record), record.offset);
  std::set<bus::TopicPartition> resume;
  {
    std::lock_guard lock(mutex_);
    in_flight_.erase({PlaceOf(record), record.offset});
    resume = TakeResumable();
  }
  for (const bus::TopicPartition& partition : resume) consumer_->Resume(partition);
}

std::set<bus::TopicPartition> StatusConsumer::TakeResumable() {
  std::set<bus::TopicPartition> resumable;
  if (in_flight_.size() <= kInFlightMax / 2) resumable.swap(paused_);
  return resumable;
}

std::string StatusConsumer::NameOf(const ledger::LedgerEntry& entry) {
  return base::JoinLengthPrefixed({entry.key, std::to_string(entry.record.evidence().state())});
}

bool StatusConsumer::WasTold(const ledger::LedgerEntry& entry) const {
  std::lock_guard lock(mutex_);
  return told_.contains(NameOf(entry));
}

void StatusConsumer::Remember(const ledger::LedgerEntry& entry) {
  std::lock_guard lock(mutex_);
  if (!told_.insert(NameOf(entry)).second) return;
  told_by_age_.push_back(NameOf(entry));
  if (told_by_age_.size() > kToldMax) {
    told_.erase(told_by_age_.front());
    told_by_age_.pop_front();
  }
}

bool StatusConsumer::Held(const bus::TopicPartition& partition) const {
  std::lock_guard lock(mutex_);
  return held_.contains(partition);
}

}  // namespace sender
