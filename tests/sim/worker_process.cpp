#include "tests/sim/worker_process.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "tests/sim/turn_run_model.h"
#include "tests/sim/world.h"

namespace sim {
namespace {

// Small, so that pausing, and the engine's credit, matter in schedules of a few turns.
constexpr std::size_t kWindowMax = 3;
constexpr std::size_t kRunsMax = 2;
constexpr base::Duration kPost = std::chrono::microseconds(100);  // from the poll thread to the loop: in order

}  // namespace

WorkerProcess::WorkerProcess(World* world, int number)
    : Process(&world->time, "worker-" + std::to_string(number)),
      world_(world),
      member_(world, this, &world->worker_group, this) {
  journal_.SetConsumer(&notes_);
}

WorkerProcess::~WorkerProcess() = default;

void WorkerProcess::OnAssigned(int partition) { windows_[partition] = Window{.assignment = ++assignments_}; }

void WorkerProcess::OnRevoked(int partition, bool lost) {
  windows_.erase(partition);
  journal_.OnRevoked({std::string(NameOf(Topic::kTurns)), partition}, lost);
  After(kPost, [this, partition] { Revoke(partition); });
}

void WorkerProcess::OnRecord(bus::Record record) {
  const int partition = record.partition;
  auto task = std::make_shared<worker::TurnTask>();
  task->record = std::move(record);
  task->read_at = world_->time.now();
  if (world_->mistake == Mistake::kLanesOff) task->record.key += std::to_string(task->record.offset);
  Window& window = windows_.at(partition);
  task->assignment = window.assignment;
  ++window.records;
  if (!window.paused && window.records >= kWindowMax) {
    window.paused = true;
    member_.Pause(partition);
  }
  After(kPost, [this, task] { Admit(task); });
}

void WorkerProcess::Admit(std::shared_ptr<worker::TurnTask> task) {
  const auto window = windows_.find(task->record.partition);
  if (window == windows_.end() || window->second.assignment != task->assignment) return;
  lanes_.Push(std::move(task));
  StartWhatFits();
}

void WorkerProcess::Revoke(int partition) {
  lanes_.DropWaiting({std::string(NameOf(Topic::kTurns)), partition});
  for (const auto& run : runs_) {
    if (run->task().record.partition == partition) run->Abandon();
  }
}

void WorkerProcess::StartWhatFits() {
  while (lanes_.ready_lanes_count() > 0 && runs_.size() < kRunsMax) {
    std::shared_ptr<worker::TurnTask> task = lanes_.StartNext();
    runs_.push_back(std::make_shared<TurnRunModel>(world_, this, &journal_, task,
                                                   [this, task](bool completed) { EndTurn(task, completed); }));
    runs_.back()->Start();
  }
}

void WorkerProcess::EndTurn(const std::shared_ptr<worker::TurnTask>& task, bool completed) {
  const int partition = task->record.partition;
  std::erase_if(runs_, [&](const auto& run) { return &run->task() == task.get(); });
  lanes_.Finish(*task);
  const auto found = windows_.find(partition);
  if (found != windows_.end() && found->second.assignment == task->assignment) {
    Window& window = found->second;
    if (completed) {
      member_.MarkDone(partition, task->record.offset);
      journal_.Forget(*task);
    }
    --window.records;
    if (window.paused && window.records < kWindowMax * 3 / 4) {
      window.paused = false;
      member_.Resume(partition);
    }
  }
  StartWhatFits();
}

}  // namespace sim
