#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/account/account_book.h"
#include "libs/app/readiness.h"
#include "libs/base/clock.h"
#include "libs/bus/producer.h"
#include "libs/bus/topic_check.h"
#include "libs/http/server.h"
#include "libs/telemetry/metrics.h"
#include "services/gateway/config.h"
#include "services/gateway/log_watch.h"
#include "services/gateway/metrics.h"
#include "services/gateway/webhook_handler.h"

namespace gateway {

// The service without its frame: HTTP server, webhook handlers and producer. It keeps nothing and needs only the
// broker, and starts without that too.
//
// Threading: Create, Start and Drain on one thread; the rest from any.
// Lifetime:  the registry must outlive it. The destructor drains with no time left.
class App {
 public:
  // InvalidArgument, NotFound, ...: options, accounts file or producer settings that cannot work. Connects to nothing.
  static absl::StatusOr<std::unique_ptr<App>> Create(const Options& options, telemetry::Registry& registry);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  absl::Status Start();  // takes webhooks from here on; AlreadyExists when the port is taken
  std::uint16_t port() const { return server_->port(); }

  bool alive() const { return server_->alive(); }
  app::Readiness ready() const;

  // Not ready from here on; when that is known (--lame-duck-ms), takes no more webhooks, answers those in hand, flushes
  // the producer.
  void Drain(base::MonotonicTime deadline);

 private:
  App() = default;
  absl::Status Init(const Options& options, telemetry::Registry& registry);
  void AddChannel(mesh::bus::v1::Channel channel, const Options& options);
  void AddPages();

  std::unique_ptr<Metrics> metrics_;
  std::shared_ptr<account::AccountFile> accounts_;  // shared with the registry's refresh, which outlives this
  std::unique_ptr<bus::TopicCheck> topic_check_;
  std::unique_ptr<LogWatch> log_watch_;
  std::vector<mesh::bus::v1::Channel> channels_;
  std::vector<std::unique_ptr<WebhookHandler>> handlers_;
  std::unique_ptr<bus::Producer> producer_;  // before the handlers in time of death: its callbacks count in them
  std::unique_ptr<http::Server> server_;     // before the producer: its requests produce
  base::Duration lame_duck_{};
  std::atomic<bool> draining_{false};
};

}  // namespace gateway
