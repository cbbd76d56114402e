#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "libs/bus/consumer.h"
#include "services/worker/load_shedder.h"
#include "services/worker/media_ahead.h"
#include "services/worker/queue_policy.h"
#include "services/worker/read_window.h"
#include "services/worker/turn_lanes.h"
#include "services/worker/turn_run.h"

namespace worker {

// Between the consumer and the turns: puts records into lanes, starts turns as the engine's credit allows, drops turns
// as the queue policy says, pauses a partition whose window is full, and marks records done.
//
// Turns that could not be answered in time are shed (load_shedder.h): their users are told instead of the engine. What
// turns bring along is fetched while they wait (media_ahead.h).
//
// Turns that are dropped, and events, end beside their lane and need no credit: so neither a long answer nor a busy
// engine keeps one user's flood in the window.
//
// Threading: the ConsumerHandler methods run on the consumer's poll thread and only count and post; the rest is
//            confined to the loop thread.
// Bound:     a partition is paused on the poll thread itself as soon as its window is full, so that beyond the window
//            only what that poll had fetched already is held.
class TurnIntake final : public bus::ConsumerHandler {
 public:
  // `context` with all its members outlives this. SetConsumer before the consumer polls.
  TurnIntake(const TurnContext& context, const ReadWindow& empty_window);  // each partition's
  ~TurnIntake() override;

  void SetConsumer(bus::Consumer* consumer) { consumer_ = consumer; }

  void OnAssigned(const bus::TopicPartition& partition, std::int64_t next_offset,
                  std::string_view committed_metadata) override;
  void OnRevoked(const bus::TopicPartition& partition, bool lost) override;
  void OnRecord(bus::Record record) override;

  // Starts no more turns; waiting records stay unread for the next owner. Loop thread.
  void StopStarting();
  // Gives up what still runs, unfinished. Loop thread.
  void AbandonAll();

  std::size_t partitions_count() const;                                           // assigned ones; any thread
  std::size_t running_count() const { return runs_.size() + side_runs_.size(); }  // loop thread

 private:
  void Admit(std::shared_ptr<TurnTask> task);
  void Revoke(const bus::TopicPartition& partition);
  void StartWhatFits();
  bool EngineHasRoom() const;
  void EndTurn(const std::shared_ptr<TurnTask>& task, bool completed);
  void EndOfRecord(const TurnTask& task, bool completed);
  void ExportGauges() const;

  // The queue policy, after every change of a lane. A takeover that is due waits for session's word that the turn that
  // takes over is not finished already: a webhook that was retried must not drop what the user wants now.
  void Consider(const std::string& key);
  void AskWhetherFinished(const std::shared_ptr<TurnTask>& into);
  void OnWhetherFinished(const std::shared_ptr<TurnTask>& into,
                         const absl::StatusOr<mesh::session::v1::LoadContextResponse>& response);
  void Apply(const Takeover& takeover, const std::shared_ptr<TurnTask>& into);
  LaneView ViewOf(const std::string& key) const;
  // Runs beside its lane a turn that was taken out of it; without an order it ends as finished already.
  void RunAside(const std::shared_ptr<TurnTask>& task, std::optional<DropOrder> order);
  void PassEvent(const std::shared_ptr<TurnTask>& task);
  // The turn that `unsend` takes back is dropped, where it waits in the lane or nothing of it has been said yet.
  void DropUnsent(const TurnTask& unsend);

  // Moves the shedder's clock on; whether turns wait because the engine is full.
  bool LookAtQueue();
  void ShedHopeless();
  void ShedIfHopeless(const std::shared_ptr<TurnTask>& head, std::size_t ahead);
  void ShedLane(const std::string& key);

  const TurnContext context_;
  const ReadWindow empty_window_;
  bus::Consumer* consumer_ = nullptr;

  // Loop thread.
  TurnLanes lanes_;
  std::unordered_map<const TurnTask*, std::shared_ptr<TurnRun>> runs_;       // in their lanes
  std::unordered_map<const TurnTask*, std::shared_ptr<TurnRun>> side_runs_;  // beside them
  std::set<std::string> asking_;                                             // lanes for which session is being asked
  std::set<std::string> shedding_;                                           // those of them that are to be shed
  MediaAhead media_ahead_;
  LoadShedder shedder_;
  base::MonotonicTime next_shedding_{};
  bool starting_ = true;
  bool recheck_scheduled_ = false;

  // Poll thread and loop thread.
  mutable std::mutex mutex_;
  struct Window {
    std::uint64_t assignment = 0;
    ReadWindow read;  // handed over and not yet ended
    bool paused = false;
  };
  std::map<bus::TopicPartition, Window> windows_;  // protected by mutex_; assigned partitions only
  std::uint64_t assignments_ = 0;                  // protected by mutex_
};

}  // namespace worker
