#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/app/app.h"
#include "libs/base/check.h"
#include "libs/config/version.h"
#include "libs/fault/fault.h"
#include "libs/http/server.h"
#include "libs/telemetry/log.h"

namespace app {
namespace {

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

http::Response Text(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = absl::StrCat(body, "\n");
  return response;
}

// Core files would hold secrets. A sanitizer's leak check traces its own process, which this forbids as well.
void ForbidCoreFiles() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  prctl(PR_SET_DUMPABLE, 0);
#endif
}

}  // namespace

struct Runner::Rep {
  std::string service;
  CommonOptions options;
  telemetry::Registry metrics;
  std::unique_ptr<http::Server> admin;
  Health health;
  std::atomic<bool> stop_requested{false};
  std::atomic<bool> draining{false};
  std::atomic<bool> over{false};
  std::thread signal_thread;  // of the runner's whole life
  std::mutex mutex;
  std::condition_variable stopped;
  int stop_signal = 0;              // protected by mutex
  base::MonotonicTime deadline;     // protected by mutex; set with stop_signal
  std::string waits_for = "start";  // protected by mutex

  // Takes every stop signal. From the first one on the process has its time, whatever it is in the middle of: its
  // start, its drain, or the end of its parts after that.
  void TakeSignals() {
    const sigset_t set = StopSignals();
    const timespec tick{.tv_sec = 0, .tv_nsec = 50'000'000};
    std::optional<base::MonotonicTime> ends_at;
    while (!over) {
      const int signal = ends_at ? sigtimedwait(&set, nullptr, &tick) : sigwaitinfo(&set, nullptr);
      if (over) return;
      if (signal > 0 && ends_at) EndAtOnce("second signal");
      if (signal > 0) {
        ends_at = base::Clock::Real().Now() + std::chrono::seconds(options.drain_deadline_s);
        draining = true;
        std::lock_guard lock(mutex);
        stop_signal = signal;
        deadline = *ends_at;
        stopped.notify_all();
      }
      if (ends_at && base::Clock::Real().Now() > *ends_at) EndAtOnce("deadline: see --drain-deadline-s");
    }
  }

  [[noreturn]] void EndAtOnce(std::string_view why) {
    std::unique_lock lock(mutex);
    const std::string stuck_in = waits_for;
    lock.unlock();
    telemetry::LogError("drain_cut_short", {{"reason", why}, {"waited_for", stuck_in}});
    telemetry::FlushLogs();
    _exit(1);
  }

  void AddProcessMetrics() {
    const telemetry::Counter dropped = metrics.AddCounter(
        service + "_log_lines_dropped_total", "Log lines never written: the queue was full or the write failed.");
    metrics.AddRefresh(
        [dropped] { dropped.Increment(static_cast<double>(telemetry::LogLinesDropped()) - dropped.Value()); });
    metrics
        .AddGauge(service + "_build_info", "1; the labels say what runs.",
                  {{"version", std::string(config::Version())}, {"commit", std::string(config::Commit())}})
        .Set(1);
  }

  // What still wants to be answered is a scrape or a probe: a second is plenty.
  void StopAdmin() {
    if (admin) admin->Drain(std::chrono::steady_clock::now() + std::chrono::seconds(1));
    admin.reset();
  }

  void AddRoute(std::string path, std::function<http::Response()> answer) {
    admin->Add(
        {.method = "GET",
         .path = path,
         .route = path.substr(1),
         .handler = [answer = std::move(answer)](http::Request, http::Responder respond) { respond(answer()); }});
  }
};

Runner::Runner(std::string service, const CommonOptions& options) : rep_(std::make_unique<Rep>()) {
  rep_->service = std::move(service);
  rep_->options = options;
  // Before any thread starts, so that all inherit the mask and only one takes the signals.
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  ForbidCoreFiles();
  const absl::Status logging = telemetry::StartLogging(
      {.service = rep_->service,
       .level = telemetry::ParseLogLevel(options.log_level).value_or(telemetry::LogLevel::kInfo),
       .path = options.log_path});
  if (!logging.ok()) {
    std::fprintf(stderr, "%s: %s\n", rep_->service.c_str(), std::string(logging.message()).c_str());
    std::exit(1);
  }
  rep_->signal_thread = std::thread([rep = rep_.get()] { rep->TakeSignals(); });
  telemetry::LogInfo("starting", {{"version", config::Version()}, {"commit", config::Commit()}});
  if (const absl::Status armed = fault::ArmFromEnvironment(); !armed.ok()) std::exit(StartFailed(armed));
  if (!fault::ArmedPoint().empty()) telemetry::LogWarning("fault_armed", {{"point", fault::ArmedPoint()}});
}

Runner::~Runner() {
  rep_->StopAdmin();
  rep_->over = true;
  pthread_kill(rep_->signal_thread.native_handle(), SIGTERM);  // wakes it
  rep_->signal_thread.join();
  telemetry::FlushLogs();
}

telemetry::Registry& Runner::metrics() { return rep_->metrics; }

absl::Status Runner::StartAdmin(Health health) {
  CHECK(health.alive && health.ready && rep_->admin == nullptr);
  rep_->health = std::move(health);
  http::ServerOptions options;
  options.address = rep_->options.admin_address;
  options.port = static_cast<std::uint16_t>(rep_->options.admin_port);
  options.connections_max = 256;
  options.body_bytes_max = 0;
  absl::StatusOr<std::unique_ptr<http::Server>> admin =
      http::Server::Create(options, rep_->service + "_admin", rep_->metrics);
  if (!admin.ok()) return admin.status();
  rep_->admin = *std::move(admin);

  rep_->AddProcessMetrics();
  Rep* rep = rep_.get();
  rep->AddRoute("/metrics", [rep] {
    http::Response response;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = rep->metrics.ToPrometheusText();
    return response;
  });
  rep->AddRoute("/healthz", [rep] { return rep->health.alive() ? Text(200, "alive") : Text(503, "a loop is stuck"); });
  rep->AddRoute("/readyz", [rep] {
    if (rep->draining) return Text(503, "draining");
    const Readiness readiness = rep->health.ready();
    return Text(readiness.takes_work() ? 200 : 503, readiness.ToText());
  });
  absl::Status status = rep->admin->Start();
  if (!status.ok()) {
    rep_->admin.reset();
    return absl::Status(status.code(), absl::StrCat(status.message(), "; choose another --admin-port"));
  }
  telemetry::LogInfo("admin_listens", {{"address", options.address}, {"port", rep->admin->port()}});
  return absl::OkStatus();
}

std::uint16_t Runner::admin_port() const {
  CHECK(rep_->admin != nullptr);
  return rep_->admin->port();
}

int Runner::StartFailed(const absl::Status& status) {
  rep_->StopAdmin();
  telemetry::LogError("start_failed", {{"error", status.message()}});
  telemetry::FlushLogs();
  // Where lines go to a file, whoever started the process by hand would see nothing.
  if (!rep_->options.log_path.empty()) {
    std::fprintf(stderr, "%s: %s\n", rep_->service.c_str(), std::string(status.message()).c_str());
  }
  return 1;
}

int Runner::WaitAndDrain(const std::function<void(base::MonotonicTime deadline)>& drain) {
  base::MonotonicTime deadline;
  {
    std::unique_lock lock(rep_->mutex);
    rep_->stopped.wait(lock, [this] { return rep_->stop_signal != 0; });
    telemetry::LogInfo("draining", {{"signal", rep_->stop_signal}, {"deadline_s", rep_->options.drain_deadline_s}});
    deadline = rep_->deadline;
  }
  WaitsFor("drain");
  drain(deadline);
  WaitsFor("admin port");
  rep_->StopAdmin();  // the checks and refreshes point into what the caller destroys next
  WaitsFor("the end of the service's parts");
  telemetry::LogInfo("stopped");
  telemetry::FlushLogs();
  return 0;
}

void Runner::WaitsFor(std::string_view what) {
  std::lock_guard lock(rep_->mutex);
  rep_->waits_for = what;
}

void Runner::RequestStop(std::string_view reason) {
  if (rep_->stop_requested.exchange(true) || rep_->draining) return;
  telemetry::LogInfo("stop_requested", {{"reason", reason}});
  kill(getpid(), SIGTERM);
}

}  // namespace app
