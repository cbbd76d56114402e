#pragma once

#include <atomic>
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
#include "libs/engine/engine.h"
#include "libs/http/client.h"
#include "libs/media/fetcher.h"
#include "libs/session/client.h"
#include "services/worker/attempt_journal.h"
#include "services/worker/child_engine.h"
#include "services/worker/config.h"
#include "services/worker/metrics.h"
#include "services/worker/presence.h"
#include "services/worker/reply_log.h"
#include "services/worker/solo_queue.h"
#include "services/worker/turn_intake.h"

namespace worker {

// Wires the worker: engine, bus, session client, lanes.
//
// Lifetime: members are destroyed in reverse order; Drain() has stopped everything that calls back before that.
class App {
 public:
  App(const Options& options, app::Runner& runner);

  // Reads accounts, loads the model, and leaves a thread behind that waits for the broker (for as long as it takes:
  // /readyz tells) and then joins the group. An error is final and says what to change: model file, accounts file,
  // option.
  absl::Status Start();
  void Drain(base::MonotonicTime deadline);

  bool alive() const;
  app::Readiness ready() const;

 private:
  absl::Status CheckAccounts() const;
  absl::Status CheckModelFile() const;
  absl::Status StartMedia();
  absl::Status StartPresence();
  double ShareOfPartitions() const;
  absl::StatusOr<std::unique_ptr<media::Store>> OpenMediaStore();
  absl::Status JoinGroup(std::int32_t partitions);
  void RegisterGauges();

  const Options options_;
  app::Runner& runner_;
  Metrics metrics_;
  std::atomic<bool> session_fails_{false};
  std::shared_ptr<account::AccountFile> accounts_;  // shared with the registry, which outlives this
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<session::Client> session_;
  std::unique_ptr<bus::Producer> producer_;
  std::unique_ptr<app::EventLoop> loop_;
  AttemptJournal journal_;
  std::unique_ptr<SoloQueue> solo_queue_;
  std::unique_ptr<ChildEngine> child_engine_;
  std::unique_ptr<KafkaReplyLog> reply_log_;
  std::unique_ptr<media::Fetcher> media_;  // unset without --media-store
  std::unique_ptr<http::Client> presence_http_;
  std::shared_ptr<Presence> presence_;             // taken away on the loop thread
  std::atomic<std::int32_t> partitions_total_{0};  // of `turns`; 0: not known yet
  std::unique_ptr<TurnIntake> intake_;
  std::unique_ptr<bus::Consumer> consumer_;  // written by the check of the topics before joined_ is set
  std::atomic<bool> joined_{false};
  std::atomic<bool> started_{false};
  // Between the admin thread, which reads the parts above once started_ is set, and Drain, which takes them away.
  mutable std::mutex parts_mutex_;
  std::unique_ptr<bus::TopicCheck> topic_check_;  // joins the group
};

}  // namespace worker
