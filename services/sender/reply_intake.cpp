#include "services/sender/reply_intake.h"

#include <utility>

namespace sender {

ReplyIntake::ReplyIntake(app::EventLoop* loop, SenderCore* core, std::string topic, const ReplyWindow& empty_window)
    : loop_(loop), core_(core), topic_(std::move(topic)), empty_window_(empty_window) {}

void ReplyIntake::OnAssigned(const bus::TopicPartition& partition, std::int64_t, std::string_view) {
  auto lease = std::make_shared<Lease>();
  {
    std::lock_guard lock(mutex_);
    windows_.erase(partition.partition);
    windows_.emplace(partition.partition, Window{.lease = lease, .in_hand = empty_window_});
  }
  consumer_->Pause(partition);  // nothing is sent before the ledger has been read, so nothing need be fetched
  loop_->Post([this, number = partition.partition, lease] { core_->OnAssigned(number, lease); });
}

void ReplyIntake::OnRevoked(const bus::TopicPartition& partition, bool) {
  {
    std::lock_guard lock(mutex_);
    const auto found = windows_.find(partition.partition);
    if (found != windows_.end()) {
      found->second.lease->revoked.store(true, std::memory_order_release);  // at once: the loop may be busy
      windows_.erase(found);
    }
  }
  loop_->Post([this, number = partition.partition] { core_->OnRevoked(number); });
}

void ReplyIntake::OnRecord(bus::Record record) {
  bool pause = false;
  {
    std::lock_guard lock(mutex_);
    const auto found = windows_.find(record.partition);
    if (found == windows_.end()) return;
    Window& window = found->second;
    window.in_hand.Begin(record.offset, record.key.size() + record.value.size());
    pause = !window.full && window.in_hand.full();
    window.full |= pause;
  }
  if (pause) consumer_->Pause({topic_, record.partition});
  loop_->Post([this, record = std::move(record)]() mutable { core_->OnReply(std::move(record)); });
}

void ReplyIntake::OnOwned(std::int32_t partition) {
  {
    std::lock_guard lock(mutex_);
    const auto found = windows_.find(partition);
    if (found == windows_.end()) return;
    found->second.owned = true;
    if (found->second.full) return;
  }
  consumer_->Resume({topic_, partition});
}

void ReplyIntake::MarkDone(std::int32_t partition, std::int64_t offset) {
  consumer_->MarkDone({topic_, partition}, offset);
  {
    std::lock_guard lock(mutex_);
    const auto found = windows_.find(partition);
    if (found == windows_.end()) return;
    Window& window = found->second;
    window.in_hand.End(offset);
    if (!window.full || !window.owned || !window.in_hand.has_room()) return;
    window.full = false;
  }
  consumer_->Resume({topic_, partition});
}

}  // namespace sender
