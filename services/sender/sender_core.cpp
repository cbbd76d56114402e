#include "services/sender/sender_core.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sender {
namespace {

constexpr base::Duration kHour = std::chrono::hours(1);

}  // namespace

SenderCore::SenderCore(const CoreOptions& options, Effects* effects, Ports ports, const Metrics* metrics)
    : options_(options),
      effects_(effects),
      ports_(std::move(ports)),
      metrics_(metrics),
      limiter_(options.rate_buckets_max),
      gate_(options.probe_interval),
      throttle_(options.graph_throttle_k),
      slots_(std::make_shared<SendSlots>(options.sends_in_flight_max)),
      hour_began_at_(effects->Now()) {}

SenderCore::~SenderCore() { slots_->Close(); }

LedgerTail& SenderCore::TailOf(std::int32_t partition) {
  auto& tail = tails_[partition];
  if (tail == nullptr) {
    tail = std::make_unique<LedgerTail>(partition, options_.settled_detail_max);
    ports_.read_ledger(partition);
  }
  return *tail;
}

void SenderCore::SetPartitionsTotal(std::int32_t partitions) {
  partitions_total_ = partitions;
  SplitRates();
}

void SenderCore::SplitRates() {
  if (partitions_total_ <= 0 || partitions_.empty()) return;
  limiter_.SetAccountShare(std::min(1.0, static_cast<double>(partitions_.size()) / partitions_total_));
}

void SenderCore::OnAssigned(std::int32_t partition, std::shared_ptr<Lease> lease) {
  OnRevoked(partition);  // a repeated assignment is a new one
  LaneContext context;
  context.effects = effects_;
  context.ledger = &TailOf(partition);
  context.limiter = &limiter_;
  context.gate = &gate_;
  context.throttle = &throttle_;
  context.slots = slots_;
  context.metrics = metrics_;
  context.lease = std::move(lease);
  context.options = options_.lane;
  PartitionSender::Hooks hooks;
  hooks.new_owner_name = [this] { return ports_.instance + "/" + std::to_string(++takeovers_); };
  hooks.on_owned = [this, partition] { ports_.on_owned(partition); };
  hooks.mark_done = [this, partition](std::int64_t offset) { ports_.mark_done(partition, offset); };
  auto sender = std::make_shared<PartitionSender>(std::move(context), std::move(hooks));
  partitions_[partition] = sender;
  SplitRates();
  if (draining_) return sender->Drain();
  sender->Start();
}

void SenderCore::OnRevoked(std::int32_t partition) {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end()) return;
  found->second->Retire();
  partitions_.erase(found);
  SplitRates();
}

void SenderCore::OnReply(bus::Record record) {
  const auto found = partitions_.find(record.partition);
  if (found != partitions_.end()) found->second->OnRecord(std::move(record));
}

void SenderCore::OnLedgerRecord(std::int32_t partition, std::int64_t offset,
                                const mesh::bus::v1::LedgerRecord& record) {
  const auto tail = tails_.find(partition);
  // A reader that starts over repeats what is known already.
  if (tail == tails_.end() || offset < tail->second->state().next_offset()) return;
  tail->second->Apply(offset, record, [this, partition](const ledger::LedgerState::Change& change) {
    const auto owner = partitions_.find(partition);
    if (owner != partitions_.end()) owner->second->OnLedgerChange(change);
  });
}

void SenderCore::Tick() {
  std::size_t lanes = 0;
  std::size_t parked = 0;
  for (const auto& [partition, sender] : partitions_) {
    lanes += sender->lane_count();
    parked += sender->parked_count();
  }
  metrics_->lanes.Set(static_cast<double>(lanes));
  metrics_->parked_waiting.Set(static_cast<double>(parked));
  metrics_->parked_accounts.Set(static_cast<double>(gate_.parked_count()));
  if (effects_->Now() - hour_began_at_ < kHour) return;
  hour_began_at_ = effects_->Now();
  for (const auto& [partition, tail] : tails_) tail->state().AnHourPassed();
}

void SenderCore::Drain() {
  draining_ = true;
  for (const auto& [partition, sender] : partitions_) sender->Drain();
}

std::size_t SenderCore::busy_count() const {
  std::size_t busy = 0;
  for (const auto& [partition, sender] : partitions_) busy += sender->busy_count();
  return busy;
}

std::size_t SenderCore::unowned_count() const {
  std::size_t unowned = 0;
  for (const auto& [partition, sender] : partitions_) unowned += sender->owned() ? 0 : 1;
  return unowned;
}

std::size_t SenderCore::awaited_count() const {
  std::size_t awaited = 0;
  for (const auto& [partition, tail] : tails_) awaited += tail->waiting_count();
  return awaited;
}

}  // namespace sender
