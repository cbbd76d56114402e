#include "services/worker/attempt_journal.h"

#include <utility>

namespace worker {

void AttemptJournal::Note(const TurnTask& task, const Attempts& now, const Attempts& at_rest,
                          std::function<void(bool)> on_durable) {
  const bus::TopicPartition partition{task.record.topic, task.record.partition};
  {
    std::lock_guard lock(mutex_);
    at_rest_[partition][task.record.offset] = at_rest;
  }
  consumer_->Note(partition, task.record.offset, now.note(), std::move(on_durable));
}

void AttemptJournal::Forget(const TurnTask& task) {
  std::lock_guard lock(mutex_);
  const auto partition = at_rest_.find({task.record.topic, task.record.partition});
  if (partition == at_rest_.end()) return;
  partition->second.erase(task.record.offset);
  if (partition->second.empty()) at_rest_.erase(partition);
}

void AttemptJournal::OnRevoked(const bus::TopicPartition& partition, bool lost) {
  std::map<std::int64_t, Attempts> at_rest;
  {
    std::lock_guard lock(mutex_);
    const auto found = at_rest_.find(partition);
    if (found == at_rest_.end()) return;
    at_rest = std::move(found->second);
    at_rest_.erase(found);
  }
  if (lost) return;
  for (const auto& [offset, attempts] : at_rest) consumer_->Note(partition, offset, attempts.note(), nullptr);
}

}  // namespace worker
