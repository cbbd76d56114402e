#include "services/worker/turn_lanes.h"

#include <utility>

#include "libs/base/check.h"

namespace worker {
namespace {

bus::TopicPartition PartitionOf(const bus::Record& record) { return {record.topic, record.partition}; }

}  // namespace

void TurnLanes::Push(std::shared_ptr<TurnTask> task) {
  CHECK(task != nullptr);
  const std::string key = task->record.key;
  Lane& lane = lanes_[key];
  ++in_window_[PartitionOf(task->record)];
  ++waiting_count_;
  lane.waiting.push_back(std::move(task));
  MakeReady(key, lane);
}

std::shared_ptr<TurnTask> TurnLanes::StartNext() {
  if (ready_.empty()) return nullptr;
  const std::string key = std::move(ready_.front());
  ready_.pop_front();
  Lane& lane = lanes_.at(key);
  lane.in_ready = false;
  lane.running = true;
  std::shared_ptr<TurnTask> task = std::move(lane.waiting.front());
  lane.waiting.pop_front();
  --waiting_count_;
  ++running_count_;
  return task;
}

void TurnLanes::Finish(const TurnTask& task) {
  const auto it = lanes_.find(task.record.key);
  CHECK_MSG(it != lanes_.end() && it->second.running, "Finish of a turn that is not running");
  it->second.running = false;
  --running_count_;
  LeaveWindow(task.record);
  if (it->second.waiting.empty()) {
    lanes_.erase(it);
  } else {
    MakeReady(it->first, it->second);
  }
}

void TurnLanes::DropWaiting(const bus::TopicPartition& partition) {
  for (auto it = lanes_.begin(); it != lanes_.end();) {
    Lane& lane = it->second;
    std::erase_if(lane.waiting, [&](const std::shared_ptr<TurnTask>& task) {
      if (PartitionOf(task->record) != partition) return false;
      LeaveWindow(task->record);
      --waiting_count_;
      return true;
    });
    if (lane.waiting.empty()) lane.in_ready = false;
    it = lane.waiting.empty() && !lane.running ? lanes_.erase(it) : std::next(it);
  }
  // One walk for all: a full window has thousands of lanes.
  std::erase_if(ready_, [this](const std::string& key) {
    const auto lane = lanes_.find(key);
    return lane == lanes_.end() || !lane->second.in_ready;
  });
}

std::size_t TurnLanes::InWindow(const bus::TopicPartition& partition) const {
  const auto it = in_window_.find(partition);
  return it == in_window_.end() ? 0 : it->second;
}

void TurnLanes::MakeReady(const std::string& key, Lane& lane) {
  if (lane.running || lane.in_ready || lane.waiting.empty()) return;
  lane.in_ready = true;
  ready_.push_back(key);
}

void TurnLanes::LeaveWindow(const bus::Record& record) {
  const auto it = in_window_.find(PartitionOf(record));
  CHECK(it != in_window_.end() && it->second > 0);
  if (--it->second == 0) in_window_.erase(it);
}

}  // namespace worker
