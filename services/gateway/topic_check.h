#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "libs/base/clock.h"

namespace gateway {

// Runs a check (EnsureTopics) in the background until it has succeeded, so that a gateway which starts before its
// broker becomes ready by itself. Until then nothing may be produced: a broker that creates topics on first use would
// give them the wrong partition counts.
//
// Threading: status() from any thread. One thread of its own, joined by Stop() or the destructor; both wait for a
// running check, so a check must have a deadline.
class TopicCheck {
 public:
  using Check = std::function<absl::Status()>;

  TopicCheck(Check check, base::Duration retry_initial, base::Duration retry_max);
  ~TopicCheck();
  TopicCheck(const TopicCheck&) = delete;
  TopicCheck& operator=(const TopicCheck&) = delete;

  absl::Status status() const;  // OK once the check has succeeded; else what the last one said
  void Stop();

 private:
  void Run();

  const Check check_;
  const base::Duration retry_initial_;
  const base::Duration retry_max_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  absl::Status status_;    // protected by mutex_
  bool stopping_ = false;  // protected by mutex_
  std::thread thread_;
};

}  // namespace gateway
