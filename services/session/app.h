#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/app/readiness.h"
#include "libs/base/clock.h"
#include "libs/telemetry/metrics.h"
#include "services/session/config.h"

namespace session_service {

// The service without its frame: pool, store, threads and gRPC server. What each does: README.md.
//
// Threading: safe from any thread.
// Lifetime:  the registry must outlive it. The destructor drains with no time left.
class App {
 public:
  // Unavailable when the gRPC port is taken. Redis being down is not an error: calls are refused until it is back.
  static absl::StatusOr<std::unique_ptr<App>> Start(const Options& options, telemetry::Registry& registry);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  std::uint16_t port() const;
  bool alive() const;  // the threads that handle calls turn
  // Without Redis it can do nothing; a Redis that cannot keep up leaves it degraded.
  app::Readiness Ready() const;
  void Drain(base::MonotonicTime deadline);

 private:
  struct Rep;
  explicit App(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace session_service
