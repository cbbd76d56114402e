#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libs/bus/consumer.h"
#include "services/worker/attempt_journal.h"
#include "services/worker/turn_lanes.h"
#include "tests/sim/fake_group.h"
#include "tests/sim/timeline.h"

namespace sim {

class TurnRunModel;

// The part of bus::Consumer that a worker's journal uses.
class NotesOfMember final : public bus::Consumer {
 public:
  explicit NotesOfMember(GroupMember* member) : member_(member) {}

  void Note(const bus::TopicPartition& partition, std::int64_t offset, std::uint32_t note,
            std::function<void(bool)> on_durable) override {
    member_->Note(partition.partition, offset, note, std::move(on_durable));
  }
  void Start() override {}
  void MarkDone(const bus::TopicPartition&, std::int64_t) override {}
  void Pause(const bus::TopicPartition&) override {}
  void Resume(const bus::TopicPartition&) override {}
  absl::Status CommitNow(base::MonotonicTime) override { return absl::UnimplementedError("not the journal's call"); }
  void Stop(base::MonotonicTime) override {}
  std::vector<bus::TopicPartition> assignment() const override { return {}; }
  bool polling() const override { return true; }
  absl::Status broker_status() const override { return absl::OkStatus(); }

 private:
  GroupMember* const member_;
};

// A worker: the real TurnLanes, AttemptJournal and PartitionTable. Around them a model of TurnIntake, which is bound to
// app::EventLoop and can't run in virtual time; its steps stand here in the order of services/worker/turn_intake.cpp.
class WorkerProcess final : public Process, public MemberHandler {
 public:
  WorkerProcess(World* world, int number);
  ~WorkerProcess() override;

  GroupMember* member() { return &member_; }

  void OnAssigned(int partition) override;
  void OnRevoked(int partition, bool lost) override;
  void OnRecord(bus::Record record) override;

 private:
  struct Window {
    std::uint64_t assignment = 0;
    std::size_t records = 0;
    bool paused = false;
  };

  void Admit(std::shared_ptr<worker::TurnTask> task);
  void Revoke(int partition);
  void StartWhatFits();
  void EndTurn(const std::shared_ptr<worker::TurnTask>& task, bool completed);

  World* const world_;
  GroupMember member_;
  NotesOfMember notes_{&member_};
  worker::AttemptJournal journal_;
  worker::TurnLanes lanes_;
  std::vector<std::shared_ptr<TurnRunModel>> runs_;
  std::map<int, Window> windows_;
  std::uint64_t assignments_ = 0;
};

}  // namespace sim
