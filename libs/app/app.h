#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "libs/base/clock.h"
#include "libs/config/option_table.h"
#include "libs/telemetry/metrics.h"

namespace app {

// Options that every service has; registered by RegisterCommonOptions.
struct CommonOptions {
  std::string admin_address = "127.0.0.1";
  std::int32_t admin_port = 0;          // each service sets its own default: design.md "Local ports"
  std::string log_level = "info";
  std::string log_path;                 // empty: stderr
  std::int32_t drain_deadline_s = 25;   // SIGTERM to forced exit
};
void RegisterCommonOptions(config::OptionTable& table, CommonOptions* options);

// Parses the command line. A value is the exit code with which main should return: 0 after --help and the like, 2 after
// mistakes, which have been printed.
std::optional<int> ParseOptions(config::OptionTable& table, std::string_view program, int argc, const char* const* argv);

// What a service tells about itself. Checks are called on the admin thread and must return at once.
struct Health {
  std::function<bool()> alive;             // the event loop turns: liveness
  std::function<absl::Status()> ready;     // can do its job now; the message names what is missing
};

// The frame around every service: signals, admin port (/metrics, /healthz, /readyz), logging, drain.
//
//   int main(int argc, char** argv) { return app::Main<gateway::App, gateway::Options>(...); }  or, without templates:
//   app::Runner runner("gateway", common);  runner.Run(health, /*drain=*/[&]{ app.Drain(); });
//
// Run() blocks until SIGTERM or SIGINT, then turns readiness off, calls `drain` and returns; a second signal or the drain
// deadline ends the process at once with exit code 1. SIGPIPE is ignored.
class Runner {
 public:
  Runner(std::string service, const CommonOptions& options);
  ~Runner();

  telemetry::Registry& metrics();

  // Starts the admin port (a taken port is an error that names the option). Call before slow start-up work, so that
  // liveness answers while, for instance, a model loads.
  absl::Status StartAdmin(Health health);

  // Blocks SIGTERM/SIGINT in this and later threads and waits. `drain` runs once, on the calling thread.
  // Returns the process's exit code. RequestStop() has the same effect as SIGTERM.
  int WaitAndDrain(std::function<void()> drain);
  void RequestStop(std::string_view reason);

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace app
