#pragma once

#include <string_view>

namespace meshctl {

// One sub-command: `meshctl NAME ...`. `run` gets argv with the sub-command's own name as argv[0] and returns the exit
// code: 0 done, 1 it did not work (the reason is printed), 2 the call was wrong.
struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(int argc, const char* const* argv);
};

int RunAccount(int argc, const char* const* argv);
int RunSend(int argc, const char* const* argv);
int RunDecode(int argc, const char* const* argv);
int RunLag(int argc, const char* const* argv);
int RunDeadLetter(int argc, const char* const* argv);
int RunParked(int argc, const char* const* argv);
int RunSession(int argc, const char* const* argv);
int RunSessionRebuild(int argc, const char* const* argv);  // `session rebuild`
int RunTrace(int argc, const char* const* argv);
int RunReplay(int argc, const char* const* argv);

}  // namespace meshctl
