#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "libs/bus/consumer.h"
#include "services/worker/turn_lanes.h"
#include "services/worker/turn_run.h"

namespace worker {

// Between the consumer and the turns: puts records into lanes, starts turns as the engine's credit allows, pauses a
// partition whose window is full, and marks records done.
//
// Threading: the ConsumerHandler methods run on the consumer's poll thread and only count and post; the rest is
// confined
//            to the loop thread.
// Bound:     a partition is paused on the poll thread itself as soon as its window is full, so beyond
//            `window_records_max` only what that poll had already fetched is held.
class TurnIntake final : public bus::ConsumerHandler {
 public:
  // `context` with all its members outlives this. SetConsumer before the consumer polls.
  TurnIntake(const TurnContext& context, std::int32_t window_records_max);
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

  std::size_t running_count() const { return runs_.size(); }  // loop thread

 private:
  void Admit(std::shared_ptr<TurnTask> task);
  void Revoke(const bus::TopicPartition& partition);
  void StartWhatFits();
  bool EngineHasRoom() const;
  void EndTurn(const std::shared_ptr<TurnTask>& task, bool completed);
  void ExportGauges() const;

  const TurnContext context_;
  const std::int32_t window_records_max_;
  bus::Consumer* consumer_ = nullptr;

  // Loop thread.
  TurnLanes lanes_;
  std::unordered_map<const TurnTask*, std::shared_ptr<TurnRun>> runs_;
  bool starting_ = true;
  bool recheck_scheduled_ = false;

  // Poll thread and loop thread.
  mutable std::mutex mutex_;
  struct Window {
    std::uint64_t assignment = 0;
    std::size_t records = 0;  // handed over and not yet ended
    bool paused = false;
  };
  std::map<bus::TopicPartition, Window> windows_;  // protected by mutex_; assigned partitions only
  std::uint64_t assignments_ = 0;                  // protected by mutex_
};

}  // namespace worker
