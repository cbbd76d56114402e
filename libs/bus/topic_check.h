#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "libs/base/clock.h"
#include "libs/bus/options.h"

namespace bus {

struct TopicCheckTimes {
  base::Duration patience = std::chrono::seconds(5);  // of one try; whoever stops the check waits for it
  base::Duration retry_initial = std::chrono::milliseconds(200);
  base::Duration retry_max = std::chrono::seconds(2);
};

// Runs EnsureTopics in the background until it has succeeded, so that a service which starts before its broker becomes
// ready by itself. Until then nothing may be produced: a broker that creates topics on first use would give them the
// wrong partition counts.
//
// Threading: status() from any thread. One thread of its own, joined by Stop() or the destructor; both wait for a
//            running try, and for no pause between two.
// Logs:      the first failure, each that says something else, and the end; not the same failure again and again.
class TopicCheck {
 public:
  // Called on the check's thread once the topics are there, with the partition count of the conversation topics. What
  // it says is what the try has come to: after an error everything is tried again.
  using Then = std::function<absl::Status(std::int32_t partitions)>;
  TopicCheck(const BusOptions& bus, const TopicCheckTimes& times, Then then);

  // With another check in place of EnsureTopics. Its patience is its own.
  using Check = std::function<absl::Status()>;
  TopicCheck(Check check, const TopicCheckTimes& times);

  ~TopicCheck();
  TopicCheck(const TopicCheck&) = delete;
  TopicCheck& operator=(const TopicCheck&) = delete;

  absl::Status status() const;  // OK once the check has succeeded; else what the last one said
  void Stop();

 private:
  void Run();

  const Check check_;
  const TopicCheckTimes times_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  absl::Status status_;    // protected by mutex_
  bool stopping_ = false;  // protected by mutex_
  std::thread thread_;
};

}  // namespace bus
