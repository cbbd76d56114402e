#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"

namespace bus::internal {

// Whether a broker answers, for readiness. Traffic that succeeds counts as an answer; only when there has been none for
// a second is a broker asked for its metadata. Asking is needed: librdkafka reports that all brokers are down, but on
// an idle client not that one is back.
//
// Threading: one thread between Watch and Unwatch, because the question blocks for up to 2 s and the poll thread must
//            not; the other methods from any thread, the Note methods also from librdkafka's callbacks.
class BrokerHealth {
 public:
  explicit BrokerHealth(std::string brokers);  // named in the status
  ~BrokerHealth() { Unwatch(); }
  BrokerHealth(const BrokerHealth&) = delete;
  BrokerHealth& operator=(const BrokerHealth&) = delete;

  void Watch(rd_kafka_t* client);  // REQUIRES: not watching
  void Unwatch();                  // before the client is destroyed; waits for a question on its way
  void StopAsking();               // waits for nothing: Unwatch, later, finds that question ended

  void NoteSuccess();
  void NoteAllDown();

  absl::Status status() const;

 private:
  enum class State { kUnknown, kUp, kDown };
  void Run(rd_kafka_t* client);

  const std::string brokers_;
  std::atomic<State> state_{State::kUnknown};
  std::atomic<std::int64_t> last_success_ms_{0};  // monotonic clock

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // protected by mutex_
  bool ask_now_ = false;   // protected by mutex_
};

}  // namespace bus::internal
