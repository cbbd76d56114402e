#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "libs/base/clock.h"
#include "libs/engine/engine.h"
#include "libs/engine/internal/generator.h"

namespace engine {

// A checked and tokenised request on its way to the loop thread.
struct Submission {
  SequenceId id;
  std::string tenant;
  std::vector<std::int32_t> prompt;
  std::int32_t tokens_max = 0;
  std::int32_t blocks = 0;  // KV blocks that the prompt needs
  base::MonotonicTime deadline{};
  base::MonotonicTime submitted{};
  std::int32_t priority = 0;
  std::vector<std::unique_ptr<Generation>> generations;  // one for each branch; ids are `id` and those after it
  bool at_fault = false;                                 // as Request::at_fault
  TokenCallback on_token;                                // may be unset
  ResultCallback on_done;
};

// The one place where other threads meet the loop thread: submissions, cancellations and the order to stop.
//
// Bounded: it accepts at most `sequences_max` sequences that have not ended, wherever they are by now; cancellations
//          are kept only for those, once each.
// Threading: any number of producers, one consumer; one mutex, because an item here costs milliseconds of work.
class Inbox {
 public:
  explicit Inbox(std::size_t sequences_max) : sequences_max_(sequences_max) {}

  // False when full or stopped; `submission` is then untouched.
  [[nodiscard]] bool TrySubmit(Submission&& submission) {
    {
      std::lock_guard lock(mutex_);
      if (stop_ || live_.size() >= sequences_max_) return false;
      live_.insert(submission.id.value());
      mail_.submissions.push_back(std::move(submission));
    }
    changed_.notify_one();
    return true;
  }

  // Whether `Submit` has room, before it spends time on a prompt.
  bool full() const {
    std::lock_guard lock(mutex_);
    return stop_ || live_.size() >= sequences_max_;
  }

  void Cancel(SequenceId id) {
    {
      std::lock_guard lock(mutex_);
      if (!live_.contains(id.value()) || !cancelled_.insert(id.value()).second) return;
      mail_.cancellations.push_back(id);
    }
    changed_.notify_one();
  }

  // Told by the loop thread when a sequence's callback is due.
  void Ended(SequenceId id) {
    std::lock_guard lock(mutex_);
    live_.erase(id.value());
    cancelled_.erase(id.value());
  }

  void Stop() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_one();
  }

  struct Mail {
    std::vector<Submission> submissions;
    std::vector<SequenceId> cancellations;
    bool stop = false;
  };

  // Everything that came since the last call; waits for something to come until `deadline`.
  Mail Take(base::MonotonicTime deadline) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline,
                        [&] { return stop_ || !mail_.submissions.empty() || !mail_.cancellations.empty(); });
    Mail mail = std::exchange(mail_, {});
    mail.stop = stop_;
    return mail;
  }

  std::size_t sequences_free() const {
    std::lock_guard lock(mutex_);
    return sequences_max_ - live_.size();
  }

 private:
  const std::size_t sequences_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // protected by mutex_
  absl::flat_hash_set<std::uint64_t> live_;       // accepted and not ended; at most sequences_max_
  absl::flat_hash_set<std::uint64_t> cancelled_;  // a subset of live_
  Mail mail_;
  bool stop_ = false;
};

}  // namespace engine
