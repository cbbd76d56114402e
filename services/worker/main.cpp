#include <optional>
#include <string_view>

#include "libs/app/app.h"
#include "services/worker/app.h"
#include "services/worker/child_main.h"
#include "services/worker/config.h"

int main(int argc, char** argv) {
  worker::Options options;
  config::OptionTable table("worker", "Consumes turns, runs the engine and produces replies.");
  worker::RegisterOptions(table, &options);
  if (const std::optional<int> code = app::ParseOptions(table, "worker", argc, argv)) return *code;
  if (std::string_view(argv[0]) == worker::kChildName) return worker::RunChild(options);
  options.arguments.assign(argv + 1, argv + argc);

  app::Runner runner("worker", options.common);
  worker::App service(options, runner);
  absl::Status status = runner.StartAdmin({.alive = [&] { return service.alive(); },  //
                                           .ready = [&] { return service.ready(); }});
  if (status.ok()) status = service.Start();
  if (!status.ok()) return runner.StartFailed(status);
  return runner.WaitAndDrain([&](base::MonotonicTime deadline) { service.Drain(deadline); });
}
