#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/base/clock.h"

namespace harness {

struct ChildOptions {
  std::vector<std::string> command;                              // program (searched in PATH) and arguments
  std::string log_path;                                          // stdout and stderr, appended; empty: inherited
  std::vector<std::pair<std::string, std::string>> environment;  // added to the test's own
};

// A process that cannot outlive the test: the kernel kills it when the thread that started it ends, however it ends.
// Start children on the test's main thread.
//
// Threading: one thread at a time.
class ChildProcess {
 public:
  // NotFound when the program cannot be run.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const ChildOptions& options);
  ~ChildProcess();  // Terminate with 5 s of grace
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  bool IsRunning();

  void Signal(int signal);  // does nothing once the process has ended
  void Pause();             // SIGSTOP: connections stay open and nothing answers
  void Resume();            // SIGCONT
  void Kill();              // SIGKILL, and waits

  // SIGTERM, then SIGKILL after `grace`. The exit status as of WaitForExit.
  int Terminate(base::Duration grace);

  // Exit code, or 128 + signal number; nullopt when it still runs at the deadline.
  std::optional<int> WaitForExit(base::MonotonicTime deadline);

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}

  const pid_t pid_;
  std::optional<int> exit_status_;
};

// Runs a command to its end. DeadlineExceeded (and the process killed) or the exit status.
absl::StatusOr<int> RunToEnd(const ChildOptions& options, base::Duration timeout);

}  // namespace harness
