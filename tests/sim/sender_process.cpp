#include "tests/sim/sender_process.h"

#include <chrono>
#include <utility>

#include "tests/fakes/small_codec.h"
#include "tests/sim/describe.h"
#include "tests/sim/world.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kWallStartMs = 1'760'000'000'000;
constexpr std::size_t kWindowMax = 4;                             // small, so that pausing matters
constexpr base::Duration kPost = std::chrono::microseconds(100);  // from the poll thread to the loop: in order
constexpr base::Duration kConnectMax = milliseconds(50);          // from Post to the first byte, mostly

sender::CoreOptions Options(Random* random) {
  sender::CoreOptions options;
  options.sends_in_flight_max = random->Chance(0.3) ? 1 : 64;
  return options;
}

}  // namespace

SenderProcess::SenderProcess(World* world, int number)
    : Process(&world->time, "sender-" + std::to_string(number)),
      world_(world),
      replies_(this),
      statuses_(this),
      replies_member_(world, this, &world->sender_group, &replies_),
      statuses_member_(world, this, &world->status_group, &statuses_) {
  sender::SenderCore::Ports ports;
  ports.instance = name();
  ports.read_ledger = [this](std::int32_t partition) {
    readers_[partition] = {};
    ReadLedger(partition);
  };
  ports.on_owned = [this](std::int32_t partition) { replies_.OnOwned(partition); };
  ports.mark_done = [this](std::int32_t partition, std::int64_t offset) { replies_.MarkDone(partition, offset); };
  core_ = std::make_unique<sender::SenderCore>(Options(&world->random), this, std::move(ports), world->metrics);
  world_->log.OnLedgerAppend([this](int partition) {
    if (alive() && readers_.contains(partition)) ReadLedger(partition);
  });
}

SenderProcess::~SenderProcess() = default;

base::MonotonicTime SenderProcess::Now() const { return world_->time.now(); }

std::int64_t SenderProcess::WallMs() const { return kWallStartMs + base::ToMs(world_->time.now().time_since_epoch()); }

void SenderProcess::RunAfter(base::Duration delay, std::function<void()> task) { After(delay, std::move(task)); }

void SenderProcess::ReadLedger(int partition) {
  LedgerReader& reader = readers_.at(partition);
  if (reader.reading || reader.next >= world_->log.ledger(partition).size()) return;
  reader.reading = true;
  After(world_->Latency(), [this, partition] {
    LedgerReader& mine = readers_.at(partition);
    mine.reading = false;
    for (std::uint64_t count = 1 + world_->random.Below(4);
         count > 0 && mine.next < world_->log.ledger(partition).size(); --count) {
      const FakeLog::LedgerRow row = world_->log.ledger(partition)[mine.next];
      static const mesh::bus::v1::LedgerRecord kHidden;
      core_->OnLedgerRecord(partition, static_cast<std::int64_t>(mine.next++), Hides(row) ? kHidden : *row.record);
    }
    ReadLedger(partition);
  });
}

// The mistakes that are made in reading.
bool SenderProcess::Hides(const FakeLog::LedgerRow& row) const {
  const bool foreign_takeover = row.record->has_takeover() && row.writer != this;
  switch (world_->mistake) {
    case Mistake::kIgnoreTakeover:
      return foreign_takeover;
    case Mistake::kSkipReadBack:
      return foreign_takeover && !posting_.empty();
    case Mistake::kForgetSent:
      return (row.record->has_sent() || row.record->has_evidence()) && row.writer != this;
    default:
      return false;
  }
}

void SenderProcess::AppendLedger(std::int32_t partition, const ledger::LedgerEntry& entry,
                                 const telemetry::TraceContext&, Appended on_done) {
  auto record = std::make_shared<const mesh::bus::v1::LedgerRecord>(entry.record);
  if (record->has_claim()) posting_.insert(record->claim().reply_id());
  if (record->has_sent()) posting_.erase(record->sent().reply_id());
  world_->Produce(
      *this,
      [this, partition, record] {
        const std::int64_t offset = world_->log.AppendLedger(partition, record, this);
        world_->Trace([&] {
          return name() + " writes ledger/" + std::to_string(partition) + "@" + std::to_string(offset) + " " +
                 Describe(*record);
        });
        return offset;
      },
      std::move(on_done));
}

void SenderProcess::Post(Send send, std::function<void(http::ClientResult)> on_done) {
  auto kept = std::make_shared<Send>(std::move(send));
  // Now and then longer than a lease lasts: all connections were busy.
  const base::Duration wait =
      world_->random.UpTo(world_->random.Chance(0.05) ? base::Duration(seconds(8)) : kConnectMax);
  world_->FateOf(*this);
  After(wait, [this, kept, on_done = std::move(on_done)] {
    if (world_->mistake != Mistake::kIgnoreLease && !kept->may_send()) {
      http::ClientResult refused;
      refused.failure = {absl::AbortedError("may not send"), http::SendCertainty::kNotSent};
      return After(base::Duration(1), [on_done, refused] { on_done(refused); });
    }
    world_->screen.Post(*this, kept->request, on_done);
  });
}

std::shared_ptr<const account::Account> SenderProcess::FindAccount(const mesh::bus::v1::ConversationId&) const {
  return world_->account;
}

const channel::Codec* SenderProcess::FindCodec(mesh::bus::v1::Channel) const {
  static const fakes::SmallCodec codec;
  return &codec;
}

// --- ReplyIntake ---

void SenderProcess::Replies::OnAssigned(int partition) {
  Window window;
  window.lease = std::make_shared<sender::Lease>();
  const auto lease = window.lease;
  windows_[partition] = std::move(window);
  self_->replies_member_.Pause(partition);
  self_->After(kPost, [self = self_, partition, lease] { self->core_->OnAssigned(partition, lease); });
}

void SenderProcess::Replies::OnRevoked(int partition, bool /*lost*/) {
  const auto found = windows_.find(partition);
  if (found != windows_.end()) {
    found->second.lease->revoked.store(true);
    windows_.erase(found);
  }
  self_->After(kPost, [self = self_, partition] { self->core_->OnRevoked(partition); });
}

void SenderProcess::Replies::OnRecord(bus::Record record) {
  const auto found = windows_.find(record.partition);
  if (found == windows_.end()) return;
  if (self_->world_->mistake == Mistake::kSupersedeIgnored) {
    mesh::bus::v1::ReplyRecord decoded;
    if (decoded.ParseFromString(record.value) && decoded.has_supersede()) {
      return self_->replies_member_.MarkDone(record.partition, record.offset);
    }
  }
  Window& window = found->second;
  window.in_hand.insert(record.offset);
  if (!window.full && window.in_hand.size() >= kWindowMax) {
    window.full = true;
    self_->replies_member_.Pause(record.partition);
  }
  self_->After(kPost, [self = self_, kept = std::make_shared<bus::Record>(std::move(record))] {
    self->core_->OnReply(std::move(*kept));
  });
}

void SenderProcess::Replies::OnOwned(int partition) {
  const auto found = windows_.find(partition);
  if (found == windows_.end()) return;
  found->second.owned = true;
  if (!found->second.full) self_->replies_member_.Resume(partition);
}

void SenderProcess::Replies::MarkDone(int partition, std::int64_t offset) {
  self_->replies_member_.MarkDone(partition, offset);
  const auto found = windows_.find(partition);
  if (found == windows_.end()) return;
  Window& window = found->second;
  window.in_hand.erase(offset);
  if (!window.full || !window.owned || window.in_hand.size() > kWindowMax / 2) return;
  window.full = false;
  self_->replies_member_.Resume(partition);
}

}  // namespace sim
