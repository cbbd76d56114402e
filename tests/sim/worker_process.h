#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/worker/turn_lanes.h"
#include "tests/sim/fake_group.h"
#include "tests/sim/timeline.h"

namespace sim {

class TurnRunModel;

// A worker: the real TurnLanes and PartitionTable. Around them a model of TurnIntake, which is bound to app::EventLoop
// and can't run in virtual time; its steps stand here in the order of services/worker/turn_intake.cpp.
class WorkerProcess final : public Process, public MemberHandler {
 public:
  WorkerProcess(World* world, int number);
  ~WorkerProcess() override;

  GroupMember* member() { return &member_; }

  void OnAssigned(int partition) override;
  void OnRevoked(int partition) override;
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
  worker::TurnLanes lanes_;
  std::vector<std::shared_ptr<TurnRunModel>> runs_;
  std::map<int, Window> windows_;
  std::uint64_t assignments_ = 0;
};

}  // namespace sim
