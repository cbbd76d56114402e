#include <memory>
#include <optional>

#include "libs/app/app.h"
#include "libs/config/option_table.h"
#include "services/session/app.h"
#include "services/session/config.h"

int main(int argc, char** argv) {
  session_service::Options options = session_service::DefaultOptions();
  config::OptionTable table("session", "Serves conversations and their history from Redis over gRPC.");
  session_service::RegisterOptions(table, &options);
  if (const std::optional<int> code = app::ParseOptions(table, "session", argc, argv)) return *code;
  absl::Status status = session_service::ValidateOptions(options);

  app::Runner runner("session", options.common);
  std::unique_ptr<session_service::App> service;
  if (status.ok()) {
    absl::StatusOr<std::unique_ptr<session_service::App>> started =
        session_service::App::Start(options, runner.metrics());
    status = started.status();
    if (status.ok()) service = *std::move(started);
  }
  if (status.ok()) {
    status = runner.StartAdmin({.alive = [&] { return service->alive(); }, .ready = [&] { return service->Ready(); }});
  }
  if (!status.ok()) return runner.StartFailed(status);
  return runner.WaitAndDrain([&](base::MonotonicTime deadline) { service->Drain(deadline); });
}
