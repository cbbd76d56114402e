#include "services/worker/turn_intake.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "libs/telemetry/log.h"

namespace worker {
namespace {

// A paused partition is resumed at three quarters of its window, so that pause and resume do not alternate per record.
std::size_t ResumeBelow(std::int32_t window_records_max) {
  return static_cast<std::size_t>(window_records_max) * 3 / 4;
}

// Credit may return without a turn of ours ending (a cancelled sequence's blocks): look again.
constexpr base::Duration kCreditRecheck = std::chrono::milliseconds(20);

// What a turn is taken to need before its context is known: a typical prompt with some history, and an answer. Too low
// only means that the engine queues or preempts; too high, that it idles.
constexpr std::int32_t kPredictedTokens = 512;

}  // namespace

TurnIntake::TurnIntake(const TurnContext& context, std::int32_t window_records_max)
    : context_(context), window_records_max_(window_records_max) {}

TurnIntake::~TurnIntake() = default;

void TurnIntake::OnAssigned(const bus::TopicPartition& partition, std::int64_t next_offset, std::string_view) {
  {
    std::lock_guard lock(mutex_);
    windows_[partition] = Window{.assignment = ++assignments_};
  }
  telemetry::LogInfo("partition_assigned", {{"partition", partition.partition}, {"next_offset", next_offset}});
}

void TurnIntake::OnRevoked(const bus::TopicPartition& partition, bool lost) {
  {
    std::lock_guard lock(mutex_);
    windows_.erase(partition);
  }
  telemetry::LogInfo("partition_revoked", {{"partition", partition.partition}, {"lost", lost}});
  context_.loop->Post([this, partition] { Revoke(partition); });
}

void TurnIntake::OnRecord(bus::Record record) {
  const bus::TopicPartition partition{record.topic, record.partition};
  auto task = std::make_shared<TurnTask>();
  task->record = std::move(record);
  task->read_at = context_.clock->Now();
  {
    std::lock_guard lock(mutex_);
    const auto it = windows_.find(partition);
    if (it == windows_.end()) return;  // revoked a moment ago; the new owner reads it
    Window& window = it->second;
    task->assignment = window.assignment;
    ++window.records;
    if (!window.paused && window.records >= static_cast<std::size_t>(window_records_max_)) {
      window.paused = true;
      consumer_->Pause(partition);
    }
  }
  context_.loop->Post([this, task = std::move(task)]() mutable { Admit(std::move(task)); });
}

void TurnIntake::Admit(std::shared_ptr<TurnTask> task) {
  {
    std::lock_guard lock(mutex_);
    const auto it = windows_.find({task->record.topic, task->record.partition});
    if (it == windows_.end() || it->second.assignment != task->assignment) return;
  }
  lanes_.Push(std::move(task));
  StartWhatFits();
}

void TurnIntake::Revoke(const bus::TopicPartition& partition) {
  lanes_.DropWaiting(partition);
  for (const auto& [task, run] : runs_) {
    if (task->record.topic == partition.topic && task->record.partition == partition.partition) run->Abandon();
  }
  ExportGauges();
}

bool TurnIntake::EngineHasRoom() const {
  if (runs_.empty()) return true;  // an idle engine takes one turn whatever the prediction says
  const engine::Credit credit = context_.engine->credit();
  // Turns that have started but not reached the engine yet will each take a place; so will the one about to start.
  const auto coming =
      1 + std::count_if(runs_.begin(), runs_.end(), [](const auto& entry) { return !entry.second->submitted(); });
  return credit.sequences_free >= coming &&
         credit.blocks_free * credit.block_size >= coming * static_cast<std::int64_t>(kPredictedTokens);
}

void TurnIntake::StartWhatFits() {
  while (starting_ && lanes_.ready_lanes_count() > 0) {
    if (!EngineHasRoom()) {
      if (!recheck_scheduled_) {
        recheck_scheduled_ = true;
        context_.loop->PostAfter(kCreditRecheck, [this] {
          recheck_scheduled_ = false;
          StartWhatFits();
        });
      }
      break;
    }
    std::shared_ptr<TurnTask> task = lanes_.StartNext();
    const TurnTask* id = task.get();
    runs_.emplace(id, TurnRun::Start(context_, task, [this, task](bool completed) { EndTurn(task, completed); }));
  }
  ExportGauges();
}

void TurnIntake::EndTurn(const std::shared_ptr<TurnTask>& task, bool completed) {
  const bus::TopicPartition partition{task->record.topic, task->record.partition};
  runs_.erase(task.get());
  lanes_.Finish(*task);
  {
    std::lock_guard lock(mutex_);
    const auto it = windows_.find(partition);
    if (it != windows_.end() && it->second.assignment == task->assignment) {
      Window& window = it->second;
      if (completed) consumer_->MarkDone(partition, task->record.offset);
      --window.records;
      if (window.paused && window.records < ResumeBelow(window_records_max_)) {
        window.paused = false;
        consumer_->Resume(partition);
      }
    }
  }
  StartWhatFits();
}

void TurnIntake::StopStarting() { starting_ = false; }

void TurnIntake::AbandonAll() {
  for (const auto& [task, run] : runs_) run->Abandon();
}

void TurnIntake::ExportGauges() const {
  context_.metrics->lanes_waiting.Set(static_cast<double>(lanes_.waiting_count()));
  context_.metrics->lanes_running.Set(static_cast<double>(lanes_.running_count()));
}

}  // namespace worker
