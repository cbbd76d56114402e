#include <optional>

#include "libs/app/app.h"
#include "services/sender/app.h"
#include "services/sender/config.h"

int main(int argc, char** argv) {
  sender::Options options;
  config::OptionTable table("sender", "Consumes replies and delivers them through the Graph API.");
  sender::RegisterOptions(table, &options);
  if (const std::optional<int> code = app::ParseOptions(table, "sender", argc, argv)) return *code;

  app::Runner runner("sender", options.common);
  sender::App service(options, runner);
  absl::Status status = runner.StartAdmin({.alive = [&] { return service.alive(); },  //
                                           .ready = [&] { return service.ready(); }});
  if (status.ok()) status = service.Start();
  if (!status.ok()) return runner.StartFailed(status);
  return runner.WaitAndDrain([&](base::MonotonicTime deadline) { service.Drain(deadline); });
}
