#include "services/sender/partition_sender.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "libs/base/backoff.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"
#include "libs/ledger/outcome.h"
#include "libs/records/reply_record.h"
#include "libs/telemetry/log.h"
#include "services/sender/refused_record.h"
#include "services/sender/write_failure.h"

namespace sender {
namespace {

constexpr base::Duration kRetryInitial = std::chrono::milliseconds(100);
constexpr base::Duration kRetryMax = std::chrono::seconds(5);
// Longer than it takes the broker to move a partition for good. Shorter would make two confused senders push each
// other.
constexpr base::Duration kRetakeAfter = std::chrono::seconds(30);

// Of a settled reply, what was told about it while nobody owned its partition is at most so many replies back.
constexpr std::size_t kToldAgainMax = 1024;

}  // namespace

PartitionSender::PartitionSender(LaneContext context, Hooks hooks)
    : context_(std::move(context)),
      hooks_(std::move(hooks)),
      returns_(std::make_shared<ParkedReturn>(context_)),
      assigned_at_(context_.effects->Now()) {
  context_.mark_done = hooks_.mark_done;
  context_.unreported =
      std::make_shared<UnreportedRecords>(context_.effects, context_.options.unreported_span_max, hooks_.mark_done);
}

void PartitionSender::Start() { TakeOver(/*attempt=*/1); }

void PartitionSender::TakeOver(int attempt) {
  if (retired_ || draining_) return;
  owned_ = false;
  const std::string owner = hooks_.new_owner_name();
  context_.ledger->state().SetOwner(owner);
  effects().AppendLedger(
      context_.ledger->partition(), ledger::MakeTakeover(owner, effects().WallMs()), telemetry::TraceContext::NewRoot(),
      [self = shared_from_this(), attempt](absl::StatusOr<std::int64_t> offset) {
        if (self->retired_) return;
        if (!offset.ok()) {
          // It may stand in the log all the same; the next try has a name, and so a term, of its own.
          self->context_.metrics->ledger_append_failures.Increment();
          if (JudgeWrite(bus::kSendLedger, offset.status(), attempt) == WriteFailure::kTooLarge) {
            CrashAsTooLarge(bus::kSendLedger, offset.status());
          }
          return self->effects().RunAfter(
              base::BackoffDelay(attempt, kRetryInitial, kRetryMax, self->context_.ledger->partition()),
              [self, attempt] { self->TakeOver(attempt + 1); });
        }
        self->context_.metrics->takeovers.Increment();
        self->context_.ledger->Await(*offset, [self] { self->OnTakeoverRead(); });
      });
}

void PartitionSender::OnTakeoverRead() {
  if (retired_ || owned_) return;
  if (!context_.ledger->state().owned()) return RetakeLater();
  owned_ = true;
  if (!reread_) context_.metrics->ledger_read_seconds.Observe(base::ToSeconds(effects().Now() - assigned_at_));
  reread_ = true;
  telemetry::LogInfo("ledger_taken_over", {{"partition", context_.ledger->partition()},
                                           {"term", *context_.ledger->state().term()},
                                           {"open", context_.ledger->state().open_count()},
                                           {"settled", context_.ledger->state().settled_count()}});
  ReportRecentDeliveries();
  std::deque<bus::Record> early;
  early.swap(early_);
  for (bus::Record& record : early) OnRecord(std::move(record));
  std::vector<std::shared_ptr<SendLane>> lanes;
  for (const auto& [key, lane] : lanes_) lanes.push_back(lane);
  for (const auto& lane : lanes) lane->Resume();
  returns_->Resume();
  returns_->Begin();
  hooks_.on_owned();
}

void PartitionSender::RetakeLater() {
  effects().RunAfter(kRetakeAfter, [self = shared_from_this()] { self->TakeOver(/*attempt=*/1); });
}

void PartitionSender::OnRecord(bus::Record record) {
  if (retired_) return;
  if (!reread_) {
    early_.push_back(std::move(record));
    return;
  }
  const auto decoded = records::DecodeReply(record);
  if (!decoded.ok()) return Refuse(std::move(record), decoded.refusal());
  if (decoded->has_reply()) return OnReply(std::move(record), decoded->reply());
  OnSupersede(std::move(record), decoded->supersede());
}

void PartitionSender::OnReply(bus::Record record, const mesh::bus::v1::Reply& reply) {
  const telemetry::TraceContext trace = bus::TraceOf(record.headers);
  const auto lane = LaneOf(record.key);  // before the record is moved from
  lane->Push({std::move(record), reply, trace});
}

void PartitionSender::OnSupersede(bus::Record record, const mesh::bus::v1::Supersede& supersede) {
  const auto lane = LaneOf(record.key);
  mesh::bus::v1::Reply named;
  named.set_turn_id(supersede.turn_id());
  *named.mutable_conversation() = supersede.conversation();
  const bool says_why = supersede.policy() != mesh::bus::v1::DROP_POLICY_UNSPECIFIED;
  named.set_drop_policy(says_why ? supersede.policy() : mesh::bus::v1::DROP_POLICY_SUPERSEDED);
  const telemetry::TraceContext trace = bus::TraceOf(record.headers);
  lane->Supersede({std::move(record), std::move(named), trace, supersede.by_turn_id()});
}

void PartitionSender::Refuse(bus::Record record, records::Refusal refusal) {
  const std::int64_t offset = record.offset;
  WriteRefused(&effects(), context_.metrics,
               {.record = std::make_shared<const bus::Record>(std::move(record)),
                .refusal = std::move(refusal),
                .is_wanted = [self = shared_from_this()] { return !self->retired_; },
                .then = [self = shared_from_this(), offset] { self->context_.mark_done(offset); }});
}

std::shared_ptr<SendLane> PartitionSender::LaneOf(const std::string& key) {
  const auto found = lanes_.find(key);
  if (found != lanes_.end()) return found->second;
  auto lane = std::make_shared<SendLane>(context_, [self = weak_from_this(), key] {
    const auto partition = self.lock();
    if (partition == nullptr) return;
    const auto empty = partition->lanes_.find(key);
    if (empty != partition->lanes_.end() && empty->second->empty()) partition->lanes_.erase(empty);
  });
  if (draining_) lane->Stop();
  lanes_[key] = lane;
  return lane;
}

void PartitionSender::OnLedgerChange(const ledger::LedgerState::Change& change) {
  if (change.kind == ledger::LedgerState::Change::Kind::kTakeover) {
    if (!owned_ || retired_ || context_.ledger->state().owned()) return;
    owned_ = false;
    context_.metrics->fenced.Increment();
    telemetry::LogWarning("ledger_lost_to_another", {{"partition", context_.ledger->partition()}});
    return RetakeLater();
  }
  returns_->OnLedgerChange(change);
  if (change.turn == nullptr) return;
  const auto lane = lanes_.find(identity::KeyOf(change.turn->conversation).value());
  const ledger::TurnKey key = change.turn->key;
  if (change.kind == ledger::LedgerState::Change::Kind::kEvidence) ReportDelivery(change);
  if (lane != lanes_.end()) {
    const std::shared_ptr<SendLane> kept = lane->second;
    kept->OnLedgerChange(key);
  }
}

void PartitionSender::ReportDelivery(const ledger::LedgerState::Change& change) {
  if (!reread_ || retired_) return;  // OnTakeoverRead tells the newest of it
  Report(*change.turn, ledger::OutcomeOfEvidence(*change.turn, change.part));
}

// Statuses become evidence also while this partition has no owner, or its owner was about to die. Outcomes only move
// forward, so what is known already changes nothing.
void PartitionSender::ReportRecentDeliveries() {
  std::size_t left = kToldAgainMax;
  const auto& settled = context_.ledger->state().settled_detail();
  for (auto key = settled.rbegin(); key != settled.rend() && left > 0; ++key, --left) {
    const ledger::PlannedTurn* turn = context_.ledger->state().Find(*key);
    const bool told = std::any_of(turn->parts.begin(), turn->parts.end(), [](const ledger::Part& part) {
      return part.delivery != mesh::bus::v1::DELIVERY_STATE_UNSPECIFIED;
    });
    if (told) Report(*turn, ledger::OutcomeOf(*turn));
  }
}

void PartitionSender::Report(const ledger::PlannedTurn& turn, mesh::session::v1::Outcome outcome) {
  if (outcome == mesh::session::v1::OUTCOME_UNSPECIFIED) return;
  if (turn.key.fallback) return;  // says nothing about the reply in whose place it stands
  effects().ReportOutcome(ledger::ReportWithoutText(turn, outcome), telemetry::TraceContext::NewRoot(), [] {});
}

void PartitionSender::Drain() {
  draining_ = true;
  for (const auto& [key, lane] : lanes_) lane->Stop();
  returns_->Stop();
}

void PartitionSender::Retire() {
  Drain();
  retired_ = true;
  owned_ = false;
  context_.lease->revoked.store(true, std::memory_order_release);
  early_.clear();
}

std::size_t PartitionSender::busy_count() const {
  const auto busy = std::count_if(lanes_.begin(), lanes_.end(), [](const auto& entry) { return entry.second->busy(); });
  return static_cast<std::size_t>(busy) + returns_->busy_count();
}

}  // namespace sender
