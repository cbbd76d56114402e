#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "libs/base/clock.h"
#include "libs/bus/record.h"

namespace worker {

// One record of `turns` on its way through the worker. Shared by the lane and the work in flight; touched on the loop
// thread only.
struct TurnTask {
  bus::Record record;
  // Which assignment of the partition it belongs to. After a revoke (and perhaps a new assignment) work of an older
  // assignment may still finish; it must not be marked done.
  std::uint64_t assignment = 0;
  base::MonotonicTime read_at{};
};

// Conversation lanes: at most one running turn a conversation, in `turns` order; different conversations side by side.
// Lanes that have something to run are served first come, first served, so that no conversation starves another.
//
// Pure bookkeeping without I/O or clock. Threading: confined to the worker's loop thread.
// Bound: the caller pauses a partition when waiting_and_running(partition) reaches its window; lanes hold nothing else.
class TurnLanes {
 public:
  // `task->record.key` names the lane. Within a partition offsets must rise.
  void Push(std::shared_ptr<TurnTask> task);

  // The next turn that may start, whose lane then counts as running; nullptr when every lane is running or empty.
  std::shared_ptr<TurnTask> StartNext();

  // The lane's running turn has ended; its next one becomes ready. REQUIRES: `task` was returned by StartNext.
  void Finish(const TurnTask& task);

  // Forgets waiting turns of a partition that was revoked; running ones are left to call Finish.
  void DropWaiting(const bus::TopicPartition& partition);

  std::size_t waiting_count() const { return waiting_count_; }
  std::size_t running_count() const { return running_count_; }
  std::size_t ready_lanes_count() const { return ready_.size(); }
  // Turns of one partition that are waiting or running.
  std::size_t InWindow(const bus::TopicPartition& partition) const;

 private:
  struct Lane {
    std::deque<std::shared_ptr<TurnTask>> waiting;
    bool running = false;
    bool in_ready = false;
  };

  void MakeReady(const std::string& key, Lane& lane);
  void LeaveWindow(const bus::Record& record);

  std::unordered_map<std::string, Lane> lanes_;  // by conversation key; a lane without work is erased
  std::deque<std::string> ready_;                // keys of lanes with waiting turns and none running
  std::map<bus::TopicPartition, std::size_t> in_window_;
  std::size_t waiting_count_ = 0;
  std::size_t running_count_ = 0;
};

}  // namespace worker
