#include <cstdio>
#include <string_view>

#include "libs/telemetry/log.h"
#include "services/meshctl/command.h"

namespace {

constexpr meshctl::Command kCommands[] = {
    {"send", "post a signed test webhook and wait for the reply", meshctl::RunSend},
    {"decode", "print what a webhook body means", meshctl::RunDecode},
    {"account", "say what is wrong with a configured account", meshctl::RunAccount},
    {"lag", "where each consumer group stands", meshctl::RunLag},
    {"dead-letter", "list or requeue what was given up", meshctl::RunDeadLetter},
    {"parked", "list replies that were parked; send those in doubt again", meshctl::RunParked},
    {"session", "show or forget a conversation; rebuild all from the log", meshctl::RunSession},
    {"trace", "follow one message through topics, ledger and history", meshctl::RunTrace},
    {"replay", "what became of a conversation's messages; put back what was lost", meshctl::RunReplay},
};

int PrintUsage(std::FILE* out, int code) {
  std::fprintf(
      out, "meshctl: the command line of operators and developers.\n\nUsage: meshctl COMMAND [options]\n\nCommands:\n");
  for (const meshctl::Command& command : kCommands) {
    std::fprintf(out, "  %-12s %s\n", command.name.data(), command.summary.data());
  }
  std::fprintf(
      out,
      "\nmeshctl COMMAND --help shows options and examples. With a mesh started by `make run`, addresses are read\n"
      "from .run/meshctl.yaml when called from the project's root.\n");
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return PrintUsage(stderr, 2);
  const std::string_view name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") return PrintUsage(stdout, 0);
  // Libraries log what they retry; here only what ends in an error matters, and the command says that itself.
  static_cast<void>(telemetry::StartLogging({.service = "meshctl", .level = telemetry::LogLevel::kError, .path = {}}));
  for (const meshctl::Command& command : kCommands) {
    if (command.name == name) return command.run(argc - 1, argv + 1);
  }
  std::fprintf(stderr, "meshctl: no command '%s'\n\n", argv[1]);
  return PrintUsage(stderr, 2);
}
