#include <optional>

#include "libs/app/app.h"
#include "services/exporter/app.h"
#include "services/exporter/config.h"

int main(int argc, char** argv) {
  exporter::Options options;
  config::OptionTable table("exporter",
                            "Exports consumer lag, queue age, Redis, GPU and account figures for Prometheus.");
  exporter::RegisterOptions(table, &options);
  if (const std::optional<int> code = app::ParseOptions(table, "exporter", argc, argv)) return *code;

  app::Runner runner("exporter", options.common);
  exporter::App service(options, runner);
  absl::Status status = runner.StartAdmin({.alive = [&] { return service.alive(); },  //
                                           .ready = [&] { return service.ready(); }});
  if (status.ok()) status = service.Start();
  if (!status.ok()) return runner.StartFailed(status);
  return runner.WaitAndDrain([&](base::MonotonicTime) { service.Drain(); });
}
