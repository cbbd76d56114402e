#include "tests/integration/harness/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"

namespace harness {
namespace {

constexpr auto kDestructorGrace = std::chrono::seconds(5);

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void Become(char* const* argv, char* const* environment, int log_fd, int error_fd, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // the parent died before prctl
  // A process group of its own: Ctrl-C at the terminal reaches the test, which stops its children in order.
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (log_fd >= 0) {
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
  }
  execvpe(argv[0], argv, environment);
  const int error = errno;
  const ssize_t written = write(error_fd, &error, sizeof(error));
  static_cast<void>(written);
  _exit(127);
}

int ToExitStatus(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const ChildOptions& options) {
  CHECK(!options.command.empty());
  std::vector<std::string> arguments = options.command;
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  for (const auto& [name, value] : options.environment) variables.push_back(base::StrCat(name, "=", value));
  const std::vector<char*> argv = Pointers(arguments);
  const std::vector<char*> environment = Pointers(variables);

  int log_fd = -1;
  if (!options.log_path.empty()) {
    log_fd = open(options.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) {
      return absl::InternalError(base::StrCat("log ", options.log_path, ": ", std::strerror(errno)));
    }
  }
  // Closed by a successful exec; holds errno after a failed one.
  int error_pipe[2];
  CHECK(pipe2(error_pipe, O_CLOEXEC) == 0);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) Become(argv.data(), environment.data(), log_fd, error_pipe[1], parent);
  close(error_pipe[1]);
  if (log_fd >= 0) close(log_fd);
  int error = 0;
  const ssize_t got = pid > 0 ? read(error_pipe[0], &error, sizeof(error)) : 0;
  close(error_pipe[0]);
  if (pid < 0) return absl::ResourceExhaustedError("fork failed");
  if (got > 0) {
    waitpid(pid, nullptr, 0);
    return absl::NotFoundError(base::StrCat("cannot run ", options.command[0], ": ", std::strerror(error)));
  }
  return std::unique_ptr<ChildProcess>(new ChildProcess(pid));
}

ChildProcess::~ChildProcess() { Terminate(kDestructorGrace); }

bool ChildProcess::IsRunning() { return !WaitForExit(base::Clock::Real().Now()).has_value(); }

void ChildProcess::Signal(int signal) {
  if (!exit_status_) kill(pid_, signal);
}

void ChildProcess::Pause() {
  Signal(SIGSTOP);
  if (exit_status_) return;
  // Threads on other cores go on until the kernel has stopped each of them; only then may the test go on.
  siginfo_t stopped{};
  waitid(P_PID, static_cast<id_t>(pid_), &stopped, WSTOPPED | WEXITED | WNOWAIT);
}
void ChildProcess::Resume() { Signal(SIGCONT); }

void ChildProcess::Kill() {
  Signal(SIGKILL);
  if (exit_status_) return;
  int wait_status = 0;
  CHECK(waitpid(pid_, &wait_status, 0) == pid_);
  exit_status_ = ToExitStatus(wait_status);
}

int ChildProcess::Terminate(base::Duration grace) {
  Signal(SIGTERM);
  Resume();  // a paused process cannot handle the signal
  if (!WaitForExit(base::Clock::Real().Now() + grace)) Kill();
  return *exit_status_;
}

std::optional<int> ChildProcess::WaitForExit(base::MonotonicTime deadline) {
  while (!exit_status_) {
    int wait_status = 0;
    if (waitpid(pid_, &wait_status, WNOHANG) == pid_) {
      exit_status_ = ToExitStatus(wait_status);
    } else if (base::Clock::Real().Now() >= deadline) {
      return std::nullopt;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  return exit_status_;
}

absl::StatusOr<int> RunToEnd(const ChildOptions& options, base::Duration timeout) {
  absl::StatusOr<std::unique_ptr<ChildProcess>> child = ChildProcess::Start(options);
  if (!child.ok()) return child.status();
  const std::optional<int> exit_status = (*child)->WaitForExit(base::Clock::Real().Now() + timeout);
  if (exit_status) return *exit_status;
  (*child)->Kill();
  return absl::DeadlineExceededError(base::StrCat(options.command[0], " did not end in time; see ", options.log_path));
}

}  // namespace harness
