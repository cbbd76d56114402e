#pragma once

namespace meshctl {

// Sub-commands: app::Command::run.
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
