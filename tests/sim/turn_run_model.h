#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "libs/base/clock.h"
#include "libs/bus/dead_letter.h"
#include "proto/bus/v1/bus.pb.h"
#include "services/worker/attempt_journal.h"
#include "services/worker/turn_lanes.h"
#include "tests/sim/timeline.h"

namespace sim {

class World;
struct TurnFact;

// One turn in a worker. worker::TurnRun runs on app::EventLoop, which has a thread and the machine's clock, so it can't
// run here: this is a model of its steps, in the order of services/worker/turn_run.cpp:
//
//   context (session) -> begun (journal) -> generate (engine) -> reply (log) -> project (session) -> done
//                                              \-> given up (journal) -> notice (log) -> what was said first (log) ->
//                                                  dead letter (log) -> project -> done
//
// A suspect generates in a child, which may die without its process; here several suspects of a worker do so side by
// side. A change of those steps there must be made here too.
class TurnRunModel : public std::enable_shared_from_this<TurnRunModel> {
 public:
  TurnRunModel(World* world, Process* process, worker::AttemptJournal* journal, std::shared_ptr<worker::TurnTask> task,
               std::function<void(bool completed)> on_done);

  void Start();
  void Abandon() { abandoned_ = true; }
  const worker::TurnTask& task() const { return *task_; }

 private:
  using Step = void (TurnRunModel::*)();

  void LoadContext();
  void NoteBegun();
  void Generate();
  void OnGenerated();
  void WriteReply();
  void Project();
  void GiveUp(bus::DeadLetterReason reason);
  void NoteGivenUp();
  void FindEarlierReply();
  void OnEarlierReply(std::int64_t offset, const mesh::bus::v1::ReplyRecord& record);
  void WriteDeadLetter();
  void Finish(bool completed);
  bool EndIfAbandoned();
  void RetryLater(Step step);
  void Later(base::Duration delay, Step step);

  World* const world_;
  Process* const process_;
  worker::AttemptJournal* const journal_;
  const std::shared_ptr<worker::TurnTask> task_;
  std::function<void(bool completed)> on_done_;
  TurnFact* turn_ = nullptr;
  mesh::bus::v1::Reply reply_;
  std::int64_t reply_offset_ = -1;
  base::MonotonicTime answering_since_{};
  bus::DeadLetterReason dead_reason_{};
  worker::Attempts known_;
  bool alone_ = false;
  bool giving_up_ = false;
  int retries_in_a_row_ = 0;
  bool abandoned_ = false;
};

}  // namespace sim
