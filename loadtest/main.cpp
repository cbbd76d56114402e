// loadtest: load on a mesh of this machine, and what comes of it.
#include <cstdio>
#include <string_view>

#include "libs/telemetry/log.h"
#include "loadtest/webhook/command.h"

namespace {

int PrintUsage(std::FILE* out, int code) {
  std::fprintf(out,
               "loadtest: load on a mesh of this machine.\n\nUsage: loadtest COMMAND [options]\n\nCommands:\n"
               "  webhook      signed webhooks against the gateway: how many are acknowledged, and how soon\n"
               "\nloadtest COMMAND --help shows options and examples.\n");
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return PrintUsage(stderr, 2);
  const std::string_view name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") return PrintUsage(stdout, 0);
  static_cast<void>(telemetry::StartLogging({.service = "loadtest", .level = telemetry::LogLevel::kError, .path = {}}));
  if (name == "webhook") return loadtest::RunWebhook(argc - 1, argv + 1);
  std::fprintf(stderr, "loadtest: no command '%s'\n\n", argv[1]);
  return PrintUsage(stderr, 2);
}
