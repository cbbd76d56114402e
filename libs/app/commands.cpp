#include "libs/app/commands.h"

#include <cstdio>
#include <string>

#include "libs/telemetry/log.h"

namespace app {

int RunCommand(std::string_view program, std::string_view about, std::span<const Command> commands,
               std::string_view footer, int argc, const char* const* argv) {
  const std::string tool(program);
  const auto print_usage = [&](std::FILE* out, int code) {
    std::fprintf(out, "%s: %s\n\nUsage: %s COMMAND [options]\n\nCommands:\n", tool.c_str(), std::string(about).c_str(),
                 tool.c_str());
    for (const Command& command : commands) {
      std::fprintf(out, "  %-12s %s\n", std::string(command.name).c_str(), std::string(command.summary).c_str());
    }
    std::fprintf(out, "\n%s\n", std::string(footer).c_str());
    return code;
  };
  if (argc < 2) return print_usage(stderr, 2);
  const std::string_view name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") return print_usage(stdout, 0);
  static_cast<void>(telemetry::StartLogging({.service = tool, .level = telemetry::LogLevel::kError, .path = {}}));
  for (const Command& command : commands) {
    if (command.name == name) return command.run(argc - 1, argv + 1);
  }
  std::fprintf(stderr, "%s: no command '%s'\n\n", tool.c_str(), argv[1]);
  return print_usage(stderr, 2);
}

}  // namespace app
