#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "libs/base/clock.h"
#include "libs/bus/record.h"
#include "services/worker/queue_policy.h"

namespace worker {

class TurnMedia;

// One record of `turns` on its way through the worker. Shared by the lane and the work in flight; touched on the loop
// thread only.
struct TurnTask {
  bus::Record record;
  // Which assignment of the partition it belongs to. After a revoke (and perhaps a new assignment) work of an older
  // assignment may still finish; it must not be marked done.
  std::uint64_t assignment = 0;
  base::MonotonicTime read_at{};
  QueuedTurn queued;
  bool stands_for_too_many = false;  // took the place of more turns than may wait
  std::shared_ptr<TurnMedia> media;  // its files, once they are being fetched
  // On the load shedder's clock: when its lane last became ready with this turn at its head; when it started, how long
  // that was; and what it took in the engine, once it was answered.
  base::Duration ready_at{};
  base::Duration queue_delay{};
  base::Duration answer_time{};
};

// Conversation lanes: at most one running turn a conversation, in `turns` order; different conversations side by side.
// Lanes that have something to run are served first come, first served, so that no conversation starves another. A turn
// that is not to be answered leaves its lane early, and ends beside it; the lane starts nothing before that.
//
// Pure bookkeeping without I/O or clock. Threading: confined to the worker's loop thread.
// Bound: the caller pauses a partition when its window is full; lanes hold nothing else.
class TurnLanes {
 public:
  // `task->record.key` names the lane. Within a partition offsets must rise.
  void Push(std::shared_ptr<TurnTask> task);

  // The next turn that may start, whose lane then counts as running; nullptr when every lane is running or empty.
  std::shared_ptr<TurnTask> StartNext();

  // The lane's running turn has ended; its next one becomes ready. REQUIRES: `task` was returned by StartNext.
  void Finish(const TurnTask& task);

  // Takes a waiting turn out of its place, to end beside the lane; nullptr when it does not wait (any more).
  std::shared_ptr<TurnTask> TakeOut(const std::string& key, std::int64_t offset);
  // It has ended. REQUIRES: `task` was returned by TakeOut.
  void FinishTakenOut(const TurnTask& task);

  // A held lane starts nothing: more of its next turn may come. Lets go of it as well. Ignored for a lane without work.
  void SetHeld(const std::string& key, bool held);

  // The load shedder's clock, for lanes that become ready from now on.
  void SetQueueTime(base::Duration queue_time) { queue_time_ = queue_time; }
  // The turns at the head of the lanes that are ready, in the order in which they will start.
  std::vector<std::shared_ptr<TurnTask>> ReadyHeads() const;
  // The last of them to start; nullptr when no lane is ready.
  std::shared_ptr<TurnTask> LastReadyHead() const;

  // What the queue policy decides on. Valid until the next call of another method.
  LaneView ViewOf(const std::string& key) const;
  std::size_t WaitingIn(const std::string& key) const;
  const TurnTask* NewestIn(const std::string& key) const;   // waiting; nullptr when none does
  const TurnTask* RunningIn(const std::string& key) const;  // nullptr when none does
  std::shared_ptr<TurnTask> FindWaiting(const std::string& key, std::int64_t offset) const;

  // Forgets waiting turns of a partition that was revoked; running ones are left to call Finish, and those taken out
  // FinishTakenOut.
  void DropWaiting(const bus::TopicPartition& partition);

  std::size_t waiting_count() const { return waiting_count_; }
  std::size_t running_count() const { return running_count_; }
  std::size_t ready_lanes_count() const { return ready_.size(); }
  // Turns of one partition that are waiting, running or taken out.
  std::size_t InWindow(const bus::TopicPartition& partition) const;

 private:
  struct Lane {
    std::deque<std::shared_ptr<TurnTask>> waiting;
    std::shared_ptr<TurnTask> running;
    std::vector<std::shared_ptr<TurnTask>> taken_out;
    bool held = false;
    bool in_ready = false;

    bool HasWork() const { return !waiting.empty() || running != nullptr || !taken_out.empty(); }
  };

  const Lane* Find(const std::string& key) const;
  // After a change of the lane: makes it ready, takes it back, or erases it.
  void Settle(const std::string& key);
  void MakeReady(const std::string& key, Lane& lane);
  void LeaveWindow(const bus::Record& record);

  std::unordered_map<std::string, Lane> lanes_;  // by conversation key; a lane without work is erased
  std::deque<std::string> ready_;                // keys of lanes that may start their first waiting turn
  std::map<bus::TopicPartition, std::size_t> in_window_;
  std::size_t waiting_count_ = 0;
  std::size_t running_count_ = 0;
  base::Duration queue_time_{};
};

}  // namespace worker
