#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>

#include "absl/status/status.h"
#include "libs/account/account_book.h"
#include "libs/app/app.h"
#include "libs/app/event_loop.h"
#include "libs/base/clock.h"
#include "libs/bus/consumer.h"
#include "libs/bus/producer.h"
#include "libs/bus/topic_check.h"
#include "libs/http/client.h"
#include "libs/session/client.h"
#include "services/sender/config.h"
#include "services/sender/ledger_log.h"
#include "services/sender/live_effects.h"
#include "services/sender/metrics.h"
#include "services/sender/outcome_reporter.h"
#include "services/sender/reply_intake.h"
#include "services/sender/sender_core.h"
#include "services/sender/status_consumer.h"

namespace sender {

// The sender process: wires the state machines to Kafka, HTTP and gRPC.
//
// Threading: Start and Drain on the main thread; alive and ready from any.
// Threads:   the loop, two consumers' poll threads, the producer's, the ledger reader's, one HTTP io thread, and until
//            the group is joined one that waits for the broker.
class App {
 public:
  App(const Options& options, app::Runner& runner);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // The broker need not be there yet; accounts and options must be right.
  absl::Status Start();
  // Begins nothing new, finishes what is claimed, commits and leaves the groups.
  void Drain(base::MonotonicTime deadline);

  bool alive() const;
  app::Readiness ready() const;

 private:
  absl::Status OpenParts();
  SenderCore::Ports PortsOfCore();
  absl::Status JoinGroups(std::int32_t partitions);
  void Tick();
  void WaitForSendsInFlight(base::MonotonicTime deadline);
  void LeaveGroups(base::MonotonicTime deadline);

  const Options options_;
  app::Runner& runner_;
  const Metrics metrics_;

  // Built in this order by Start, taken down in the reverse order by Drain.
  std::shared_ptr<account::AccountFile> accounts_;  // shared with the registry, which outlives this
  std::unique_ptr<app::EventLoop> loop_;
  std::unique_ptr<session::Client> session_;
  std::unique_ptr<OutcomeReporter> reporter_;
  std::unique_ptr<bus::Producer> producer_;
  std::unique_ptr<StatusWatch> status_watch_;
  std::unique_ptr<LiveEffects> effects_;
  std::unique_ptr<SenderCore> core_;
  std::unique_ptr<LedgerLog> ledger_;
  std::unique_ptr<ParkedReader> parked_;
  std::unique_ptr<http::Client> http_;
  std::unique_ptr<ReplyIntake> intake_;
  std::unique_ptr<StatusConsumer> statuses_;
  std::unique_ptr<bus::Consumer> replies_consumer_;
  std::unique_ptr<bus::Consumer> statuses_consumer_;

  std::unique_ptr<bus::TopicCheck> topic_check_;  // joins the groups
  std::atomic<bool> joined_{false};
  std::atomic<std::size_t> unowned_{0};  // as of the last tick, as the next
  std::atomic<std::size_t> parked_accounts_{0};
  std::atomic<std::int64_t> ledger_stalled_s_{0};
  std::int64_t ticks_without_read_back_ = 0;  // loop
  mutable std::mutex parts_mutex_;            // Drain against alive and ready
  bool started_ = false;                      // protected by parts_mutex_
};

}  // namespace sender
