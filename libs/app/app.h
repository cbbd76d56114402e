#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "libs/app/readiness.h"
#include "libs/base/clock.h"
#include "libs/config/option_table.h"
#include "libs/telemetry/metrics.h"

namespace app {

// Options that every service has; registered by RegisterCommonOptions.
struct CommonOptions {
  std::string admin_address = "127.0.0.1";
  std::int32_t admin_port = 0;  // each service sets its own default: design.md "Local ports"
  std::string log_level = "info";
  std::string log_path;                // empty: stderr
  std::int32_t drain_deadline_s = 25;  // SIGTERM to forced exit
};
void RegisterCommonOptions(config::OptionTable& table, CommonOptions* options);

// Parses the command line. A value is the exit code with which main should return: 0 after --help and the like, 2 after
// mistakes, which have been printed.
std::optional<int> ParseOptions(config::OptionTable& table, std::string_view program, int argc,
                                const char* const* argv);

// What a service tells about itself; both must be set. They are called on the admin thread from StartAdmin on, also
// while the service still starts, and must return at once.
struct Health {
  std::function<bool()> alive;       // the event loop turns: liveness
  std::function<Readiness()> ready;  // can take work now, and what is missing
};

// The frame around every service: signals, admin port (/metrics, /healthz, /readyz), logging, drain.
//
//   app::Runner runner("gateway", options.common);        // before any thread
//   gateway::App service(options, runner);                // after the runner, so that it is destroyed first
//   absl::Status status = runner.StartAdmin({.alive = ..., .ready = ...});
//   if (status.ok()) status = service.Start();
//   if (!status.ok()) return runner.StartFailed(status);
//   return runner.WaitAndDrain([&](base::MonotonicTime deadline) { service.Drain(deadline); });
//
// Neither WaitAndDrain nor StartFailed returns before the admin port is closed, so health checks and metric refreshes
// never meet a destroyed service.
//
// Signals: SIGTERM and SIGINT are blocked in all threads from construction on and taken by one thread of the runner; a
// child process inherits that and unblocks them itself. From the first signal to the runner's destruction the process
// has the drain deadline, wherever it is: a start, a drain and the destruction of the service's parts may all be stuck.
// At the deadline, or at a second signal, it ends at once with code 1, and its last line says what it waited for.
// SIGPIPE is ignored. The process leaves no core file, which would hold secrets (not in sanitizer builds, whose leak
// check needs what that takes away).
class Runner {
 public:
  // Ends the process with a message when the log file cannot be opened.
  Runner(std::string service, const CommonOptions& options);
  ~Runner();

  telemetry::Registry& metrics();

  // Starts the admin port (a taken port is an error that names the option). Call before slow start-up work, so that
  // liveness answers while, for instance, a model loads.
  absl::Status StartAdmin(Health health);
  std::uint16_t admin_port() const;  // the one bound, also where the option is 0. REQUIRES: StartAdmin succeeded

  // Logs the reason, where lines go to a file prints it to stderr too, and gives main's exit code, 1.
  int StartFailed(const absl::Status& status);

  // Waits for SIGTERM, SIGINT or RequestStop; turns readiness off; runs `drain` once, on the calling thread; gives
  // main's exit code, 0. `deadline`: when the process is ended, --drain-deadline-s after the first signal. The drain
  // must be over before, as drain_time.h says.
  int WaitAndDrain(const std::function<void(base::MonotonicTime deadline)>& drain);

  // Names what a drain waits for from here on, for the line of a drain that is cut short. From any thread.
  void WaitsFor(std::string_view what);

  // From any thread: the effect of a first SIGTERM. Later calls have none, so that two parts which fail together do not
  // cut the drain short.
  void RequestStop(std::string_view reason);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace app
