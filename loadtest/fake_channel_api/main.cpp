// The stand-in for the Graph API: see README.md in this folder.
#include <cstdio>
#include <optional>

#include "libs/app/app.h"
#include "libs/telemetry/log.h"
#include "loadtest/fake_channel_api/app.h"

int main(int argc, char** argv) {
  fake_channel_api::Options options;
  config::OptionTable table("fake_channel_api",
                            "Takes sends as Meta's Graph API does and writes down what users would see.");
  fake_channel_api::RegisterOptions(table, &options);
  if (const std::optional<int> code = app::ParseOptions(table, "fake_channel_api", argc, argv)) return *code;

  app::CommonOptions common;
  common.log_level = options.log_level;
  common.log_path = options.log_path;
  app::Runner runner("fake_channel_api", common);
  absl::StatusOr<std::unique_ptr<fake_channel_api::App>> app = fake_channel_api::App::Start(options, runner.metrics());
  if (!app.ok()) {
    std::fprintf(stderr, "fake_channel_api: %s\n", std::string(app.status().message()).c_str());
    return 1;
  }
  telemetry::LogInfo("listening", {{"port", (*app)->port()}});
  return runner.WaitAndDrain([&](base::MonotonicTime) { (*app)->Drain(); });
}
