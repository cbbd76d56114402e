#include <memory>
#include <optional>

#include "libs/app/app.h"
#include "libs/config/option_table.h"
#include "services/gateway/app.h"
#include "services/gateway/config.h"

int main(int argc, char** argv) {
  gateway::Options options;
  config::OptionTable table("gateway", "Takes the webhooks of WhatsApp, Messenger and Instagram into Kafka.");
  gateway::RegisterOptions(table, &options);
  if (const std::optional<int> code = app::ParseOptions(table, "gateway", argc, argv)) return *code;

  app::Runner runner("gateway", options.common);
  absl::StatusOr<std::unique_ptr<gateway::App>> app = gateway::App::Create(options, runner.metrics());
  absl::Status status = app.status();
  if (status.ok()) {
    status = runner.StartAdmin({.alive = [&] { return (*app)->alive(); }, .ready = [&] { return (*app)->ready(); }});
  }
  if (status.ok()) status = (*app)->Start();
  if (!status.ok()) return runner.StartFailed(status);
  return runner.WaitAndDrain([&](base::MonotonicTime deadline) { (*app)->Drain(deadline); });
}
