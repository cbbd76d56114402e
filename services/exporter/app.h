#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "absl/status/status.h"
#include "libs/app/app.h"
#include "services/exporter/account_watch.h"
#include "services/exporter/collector.h"
#include "services/exporter/config.h"
#include "services/exporter/metrics.h"

namespace exporter {

// The exporter process: one thread that looks at every source once an interval, and one that asks about the accounts.
// What the accounts' Graph API does or does not answer makes the process neither unready nor unhealthy.
// Threading: Start and Drain on the main thread; alive and ready from any.
class App {
 public:
  App(const Options& options, app::Runner& runner);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // InvalidArgument for wrong options, or the accounts file's mistakes; a source that is away is no error.
  absl::Status Start();
  void Drain();

  bool alive() const;
  app::Readiness ready() const;  // degraded while one of its sources cannot be looked at

 private:
  void Run();

  const Options options_;
  app::Runner& runner_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<Collector> collector_;
  std::unique_ptr<AccountWatch> accounts_;  // nullptr: no accounts file is named

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;                                      // protected by mutex_
  std::optional<absl::Status> sources_;                        // protected by mutex_; of the last look
  base::MonotonicTime last_look_ = base::Clock::Real().Now();  // protected by mutex_
  std::thread thread_;
};

}  // namespace exporter
