#include "services/worker/turn_lanes.h"

#include <algorithm>
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
  std::shared_ptr<TurnTask> task = std::move(lane.waiting.front());
  lane.waiting.pop_front();
  lane.running = task;
  --waiting_count_;
  ++running_count_;
  return task;
}

void TurnLanes::Finish(const TurnTask& task) {
  const auto it = lanes_.find(task.record.key);
  CHECK_MSG(it != lanes_.end() && it->second.running.get() == &task, "Finish of a turn that is not running");
  it->second.running = nullptr;
  --running_count_;
  LeaveWindow(task.record);
  Settle(task.record.key);
}

std::shared_ptr<TurnTask> TurnLanes::TakeOut(const std::string& key, std::int64_t offset) {
  std::shared_ptr<TurnTask> task = FindWaiting(key, offset);
  if (task == nullptr) return nullptr;
  Lane& lane = lanes_.at(key);
  std::erase(lane.waiting, task);
  --waiting_count_;
  lane.taken_out.push_back(task);
  Settle(key);
  return task;
}

void TurnLanes::FinishTakenOut(const TurnTask& task) {
  const auto it = lanes_.find(task.record.key);
  CHECK(it != lanes_.end());
  const std::size_t count =
      std::erase_if(it->second.taken_out, [&](const auto& other) { return other.get() == &task; });
  CHECK_MSG(count == 1, "the turn was not taken out");
  LeaveWindow(task.record);
  Settle(task.record.key);
}

void TurnLanes::SetHeld(const std::string& key, bool held) {
  const auto it = lanes_.find(key);
  if (it == lanes_.end() || it->second.held == held) return;
  it->second.held = held;
  Settle(key);
}

std::vector<std::shared_ptr<TurnTask>> TurnLanes::ReadyHeads() const {
  std::vector<std::shared_ptr<TurnTask>> heads;
  heads.reserve(ready_.size());
  for (const std::string& key : ready_) heads.push_back(lanes_.at(key).waiting.front());
  return heads;
}

std::shared_ptr<TurnTask> TurnLanes::LastReadyHead() const {
  return ready_.empty() ? nullptr : lanes_.at(ready_.back()).waiting.front();
}

LaneView TurnLanes::ViewOf(const std::string& key) const {
  LaneView view;
  const Lane* lane = Find(key);
  if (lane == nullptr) return view;
  if (lane->running != nullptr) view.running = &lane->running->queued;
  for (const auto& task : lane->taken_out) view.leaving.push_back(&task->queued);
  for (const auto& task : lane->waiting) view.waiting.push_back(&task->queued);
  return view;
}

std::size_t TurnLanes::WaitingIn(const std::string& key) const {
  const Lane* lane = Find(key);
  return lane == nullptr ? 0 : lane->waiting.size();
}

const TurnTask* TurnLanes::NewestIn(const std::string& key) const {
  const Lane* lane = Find(key);
  return lane == nullptr || lane->waiting.empty() ? nullptr : lane->waiting.back().get();
}

const TurnTask* TurnLanes::RunningIn(const std::string& key) const {
  const Lane* lane = Find(key);
  return lane == nullptr ? nullptr : lane->running.get();
}

std::shared_ptr<TurnTask> TurnLanes::FindWaiting(const std::string& key, std::int64_t offset) const {
  const Lane* lane = Find(key);
  if (lane == nullptr) return nullptr;
  const auto it = std::find_if(lane->waiting.begin(), lane->waiting.end(),
                               [&](const auto& task) { return task->record.offset == offset; });
  return it == lane->waiting.end() ? nullptr : *it;
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
    it = lane.HasWork() ? std::next(it) : lanes_.erase(it);
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

const TurnLanes::Lane* TurnLanes::Find(const std::string& key) const {
  const auto it = lanes_.find(key);
  return it == lanes_.end() ? nullptr : &it->second;
}

void TurnLanes::Settle(const std::string& key) {
  const auto it = lanes_.find(key);
  Lane& lane = it->second;
  if (lane.in_ready && (lane.held || lane.waiting.empty() || !lane.taken_out.empty())) {
    lane.in_ready = false;
    std::erase(ready_, key);
  }
  if (!lane.HasWork()) {
    lanes_.erase(it);
  } else {
    MakeReady(key, lane);
  }
}

void TurnLanes::MakeReady(const std::string& key, Lane& lane) {
  const bool may_start = lane.running == nullptr && lane.taken_out.empty() && !lane.held && !lane.waiting.empty();
  if (!may_start || lane.in_ready) return;
  lane.in_ready = true;
  lane.waiting.front()->ready_at = queue_time_;
  ready_.push_back(key);
}

void TurnLanes::LeaveWindow(const bus::Record& record) {
  const auto it = in_window_.find(PartitionOf(record));
  CHECK(it != in_window_.end() && it->second > 0);
  if (--it->second == 0) in_window_.erase(it);
}

}  // namespace worker
