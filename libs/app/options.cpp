#include <cstdio>

#include "libs/app/app.h"

namespace app {

void RegisterCommonOptions(config::OptionTable& table, CommonOptions* options) {
  table.Add(
      "admin-address", &options->admin_address,
      {.doc = "Where /metrics, /healthz and /readyz listen. Keep it away from the internet: it asks for no password."});
  table.Add("admin-port", &options->admin_port,
            {.doc = "Port of /metrics, /healthz and /readyz; 0 takes any free one.", .min = 0, .max = 65535});
  table.Add("log-level", &options->log_level,
            {.doc = "Lines below this level are dropped.", .choices = {"debug", "info", "warning", "error"}});
  table.Add("log-path", &options->log_path, {.doc = "File to which JSON lines are appended; empty: standard error."});
  table.Add("drain-deadline-s", &options->drain_deadline_s,
            {.doc = "After SIGTERM, the time to finish work in hand; then the process ends at once. Keep it below the "
                    "orchestrator's grace period.",
             .unit = "s",
             .min = 1,
             .max = 3600});
}

std::optional<int> ParseOptions(config::OptionTable& table, std::string_view program, int argc,
                                const char* const* argv) {
  const config::OptionTable::ParseResult parsed = table.Parse(argc, argv);
  if (!parsed.status.ok()) {
    std::fprintf(stderr, "%s: %s\n", std::string(program).c_str(), std::string(parsed.status.message()).c_str());
    return 2;
  }
  if (parsed.outcome == config::OptionTable::Outcome::kExit) return 0;
  return std::nullopt;
}

}  // namespace app
