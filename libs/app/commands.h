#pragma once

#include <span>
#include <string_view>

namespace app {

// One sub-command of a tool: `meshctl NAME ...`. `run` gets argv with the sub-command's own name as argv[0] and returns
// the exit code: 0 done, 1 it did not work (the reason is printed), 2 the call was wrong.
struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(int argc, const char* const* argv);
};

// The main of a tool with sub-commands: finds the one named, or prints what there is. Libraries log what they retry;
// here only what ends in an error matters, and the command says that itself. `about`: what the tool is, after its name;
// `footer`: lines below the list.
int RunCommand(std::string_view program, std::string_view about, std::span<const Command> commands,
               std::string_view footer, int argc, const char* const* argv);

}  // namespace app
