#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

#include "libs/bus/consumer.h"
#include "services/worker/attempts.h"
#include "services/worker/turn_lanes.h"

namespace worker {

// Keeps what is known of the turns being worked on where a crash cannot reach it: beside the committed offset of their
// partition (bus::Consumer::Note). Why there: services/worker/README.md, "A turn that kills its worker".
//
// Threading: OnRevoked on the consumer's poll thread, the rest on the loop thread.
class AttemptJournal {
 public:
  void SetConsumer(bus::Consumer* consumer) { consumer_ = consumer; }  // before it polls

  // `on_durable` as in bus::Consumer::Note: only after (true) may the work begin that `now` tells of. `at_rest` is what
  // the next owner finds when the partition is given away in peace before the turn has ended.
  void Note(const TurnTask& task, const Attempts& now, const Attempts& at_rest, std::function<void(bool)> on_durable);

  // The turn has ended; its record is marked done.
  void Forget(const TurnTask& task);

  // Before the partition's last commit, which takes along what is noted here. `lost`: there is none, so the turns that
  // ran remain suspects.
  void OnRevoked(const bus::TopicPartition& partition, bool lost);

 private:
  bus::Consumer* consumer_ = nullptr;
  std::mutex mutex_;
  std::map<bus::TopicPartition, std::map<std::int64_t, Attempts>> at_rest_;  // protected by mutex_; turns in work
};

}  // namespace worker
