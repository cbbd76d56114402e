#include "services/sender/reply_intake.h"

#include <utility>

namespace sender {

ReplyIntake::ReplyIntake(app::EventLoop* loop, SenderCore* core, std::string topic, std::int32_t window_records_max)
    : loop_(loop),
      core_(core),
      topic_(std::move(topic)),
      window_records_max_(static_cast<std::size_t>(window_records_max)) {}

void ReplyIntake::OnAssigned(const bus::TopicPartition& partition, std::int64_t, std::string_view) {
  auto lease = std::make_shared<Lease>();
  {
    std::lock_guard lock(mutex_);
    Window window;
    window.lease = lease;
    windows_[partition.partition] = std::move(window);
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
    window.in_hand.insert(record.offset);
    pause = !window.full && window.in_hand.size() >= window_records_max_;
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
    window.in_hand.erase(offset);
    // Half empty before it is filled again: pausing and resuming for each record would cost a fetch each.
    if (!window.full || !window.owned || window.in_hand.size() > window_records_max_ / 2) return;
    window.full = false;
  }
  consumer_->Resume({topic_, partition});
}

}  // namespace sender
