#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "libs/base/clock.h"
#include "libs/bus/group_lag.h"
#include "libs/bus/options.h"
#include "services/sender/status_coverage.h"

namespace sender {

// Asks the broker how far the senders, all together, have read `statuses`; for the partitions in which a doubt waits
// for evidence, and only while one does.
//
// Threading: CoveredSince from any thread, never blocks. One thread of its own, which waits for the broker.
// Errors:    no answer within the deadline is logged and covers nothing; the next question follows.
class StatusWatch {
 public:
  // `group` reads `topic` (full name); `interval` lies between two questions.
  StatusWatch(const bus::BusOptions& bus, std::string group, std::string topic, base::Duration interval,
              const base::Clock* clock);
  ~StatusWatch();  // waits for the question on its way, kDeadline at most
  StatusWatch(const StatusWatch&) = delete;
  StatusWatch& operator=(const StatusWatch&) = delete;

  // How much of the time since then is covered (StatusCoverage). Calling it keeps the partition being asked about.
  base::Duration CoveredSince(std::int32_t partition, base::MonotonicTime since);

  // Asks nothing more and waits for nothing: the question on its way may end while other parts do.
  void Stop();

 private:
  struct Watched {
    StatusCoverage coverage;
    base::MonotonicTime wanted_at;  // by the last caller
  };

  void Run();
  std::vector<bus::TopicPartition> TakeWanted();  // REQUIRES: mutex_ is held
  void Ask(const std::vector<bus::TopicPartition>& partitions);
  void NoteFailure(const absl::Status& status);

  const bus::BusOptions bus_;
  const std::string group_;
  const std::string topic_;
  const base::Duration interval_;
  const base::Clock* const clock_;

  std::unique_ptr<bus::GroupLagReader> reader_;  // of the thread
  base::MonotonicTime failure_logged_at_{};      // of the thread

  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::int32_t, Watched> watched_;  // protected by mutex_
  bool stopping_ = false;                    // protected by mutex_
  std::thread thread_;
};

}  // namespace sender
