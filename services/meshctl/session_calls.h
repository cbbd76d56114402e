#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "libs/base/clock.h"
#include "libs/session/client.h"

namespace meshctl {

// Makes one call again until session answers it, or refuses it for good, or has been away for `patience`.
absl::Status UntilAnswered(const std::function<absl::Status()>& call, base::Duration patience);

// Many calls to session at once, those of one conversation one after the other, each repeated until it is answered.
//
// Threading: one thread calls; the client's threads answer. Bound: `calls_max` at once; a further one waits.
class SessionCalls {
 public:
  // Calls that fail for `patience` in a row end it all.
  SessionCalls(session::Client* client, std::size_t calls_max, base::Duration patience);
  ~SessionCalls();  // waits for the calls under way
  SessionCalls(const SessionCalls&) = delete;
  SessionCalls& operator=(const SessionCalls&) = delete;

  // `key` names the conversation. What session refuses for good is counted; an error: session stays away.
  absl::Status Append(const std::string& key, mesh::session::v1::AppendTurnRequest request);
  absl::Status SetOutcome(const std::string& key, mesh::session::v1::SetOutcomeRequest request);
  absl::Status SetControl(const std::string& key, mesh::session::v1::SetControlRequest request);
  absl::Status Unsend(const std::string& key, mesh::session::v1::UnsendRequest request);
  absl::Status Drain();  // waits until all are answered

  std::int64_t appended() const { return appended_; }
  std::int64_t outcomes() const { return outcomes_; }
  std::int64_t controls() const { return controls_; }
  std::int64_t unsent() const { return unsent_; }
  std::int64_t refused() const;

 private:
  struct Call {
    std::string key;
    std::function<void(Call)> send;
  };
  absl::Status Send(Call call);
  void OnAnswer(Call call, const absl::Status& status);
  // Sends again what failed. REQUIRES: `lock` is held, which is let go of meanwhile
  absl::Status Repeat(std::unique_lock<std::mutex>& lock);

  session::Client* const client_;
  const std::size_t calls_max_;
  const base::Duration patience_;
  std::int64_t appended_ = 0;  // calling thread
  std::int64_t outcomes_ = 0;  // calling thread
  std::int64_t controls_ = 0;  // calling thread
  std::int64_t unsent_ = 0;    // calling thread

  mutable std::mutex mutex_;
  std::condition_variable answered_;
  absl::flat_hash_set<std::string> busy_;  // keys with a call under way or failed
  std::size_t under_way_ = 0;
  std::deque<Call> failed_;
  absl::Status last_error_;
  base::MonotonicTime last_success_;
  std::int64_t refused_ = 0;
};

}  // namespace meshctl
