#include "services/worker/child_engine.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/telemetry/log.h"
#include "services/worker/child_wire.h"

namespace worker {
namespace {

constexpr int kPollMs = 50;  // how soon Stop is seen

base::MonotonicTime Now() { return base::Clock::Real().Now(); }

std::string Describe(int wait_status) {
  if (WIFSIGNALED(wait_status)) return base::StrCat("signal ", WTERMSIG(wait_status));
  return base::StrCat("exit code ", WEXITSTATUS(wait_status));
}

// In a group of its own, so that a terminal's Ctrl-C, which is for the worker, does not count as a death. It inherits
// nothing but the socket and the log.
pid_t Spawn(const ChildOptions& options, int socket) {
  std::vector<std::string> words{kChildName};
  words.insert(words.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, socket, kChildSocket);
  posix_spawn_file_actions_addclosefrom_np(&files, kChildSocket + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setpgroup(&attributes, 0);
  sigset_t no_signals;
  sigemptyset(&no_signals);
  posix_spawnattr_setsigmask(&attributes, &no_signals);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, options.program.c_str(), &files, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  errno = error;
  return error == 0 ? pid : -1;
}

}  // namespace

ChildEngine::ChildEngine(ChildOptions options) : options_(std::move(options)), thread_([this] { Serve(); }) {}

ChildEngine::~ChildEngine() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    stop_requested_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ChildEngine::Run(engine::GenerationRequest request, std::function<void(SoloOutcome)> on_done) {
  {
    std::lock_guard lock(mutex_);
    CHECK_MSG(!job_ && !running_, "one turn at a time");
    job_ = Job{std::move(request), std::move(on_done)};
    stop_requested_ = ending_;
  }
  changed_.notify_all();
}

void ChildEngine::Stop() {
  std::lock_guard lock(mutex_);
  stop_requested_ = job_.has_value() || running_;
}

void ChildEngine::Serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    const bool woken = changed_.wait_for(lock, options_.idle_time_max, [this] { return job_ || ending_; });
    if (!woken || !job_) {
      const bool ending = ending_;
      lock.unlock();
      EndChild();
      lock.lock();
      if (ending) return;
      continue;
    }
    Job job = std::move(*job_);
    job_.reset();
    running_ = true;
    lock.unlock();
    SoloOutcome outcome = RunInChild(job.request);
    lock.lock();
    running_ = false;
    lock.unlock();
    job.on_done(std::move(outcome));
    job = {};
    lock.lock();
  }
}

SoloOutcome ChildEngine::RunInChild(const engine::GenerationRequest& request) {
  const auto stopped = [] {
    engine::GenerationResult result;
    result.finish_reason = engine::FinishReason::kCancelled;
    return SoloOutcome{.kind = SoloOutcome::Kind::kAnswered, .how = {}, .result = std::move(result)};
  };
  if (!child_) {
    if (const std::string why = StartChild(); !why.empty()) {
      telemetry::LogError("child_not_started", {{"reason", why}});
      return {.kind = SoloOutcome::Kind::kNotStarted, .how = why};
    }
  }
  if (!SendFrame(child_->socket, ToWire(request, Now()))) {
    return {.kind = SoloOutcome::Kind::kNotStarted, .how = base::StrCat("it had ended while idle: ", EndChild())};
  }
  const base::MonotonicTime kill_at = request.deadline == base::MonotonicTime{}
                                          ? base::MonotonicTime::max()
                                          : std::max(request.deadline, Now()) + options_.overtime_max;
  const Wait wait = WaitForChild(kill_at);
  if (wait == Wait::kStopped) {
    EndChild();
    return stopped();
  }
  if (wait == Wait::kTimeUp) {
    EndChild();
    return {.kind = SoloOutcome::Kind::kAnswered,
            .how = {},
            .result = absl::DeadlineExceededError("no answer from the child in time; it was killed")};
  }
  mesh::inference::v1::ChildAnswer answer;
  if (!ReceiveFrame(child_->socket, &answer)) {
    return {.kind = SoloOutcome::Kind::kDied, .how = EndChild()};
  }
  return {.kind = SoloOutcome::Kind::kAnswered, .how = {}, .result = FromWire(answer)};
}

std::string ChildEngine::StartChild() {
  int sockets[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return base::StrCat("socketpair: errno ", errno);
  }
  // dup2 onto itself would keep it close-on-exec.
  if (sockets[1] == kChildSocket) std::swap(sockets[0], sockets[1]);
  const pid_t pid = Spawn(options_, sockets[1]);
  const int error = errno;
  ::close(sockets[1]);
  if (pid < 0) {
    ::close(sockets[0]);
    return base::StrCat("posix_spawn: errno ", error);
  }
  child_ = Child{.pid = pid, .socket = sockets[0]};
  mesh::inference::v1::ChildAnswer ready;
  const Wait wait = WaitForChild(Now() + options_.start_time_max);
  if (wait == Wait::kReadable && ReceiveFrame(child_->socket, &ready)) {
    telemetry::LogInfo("child_started", {{"pid", static_cast<std::int64_t>(pid)}});
    return {};
  }
  const std::string how = EndChild();
  if (wait == Wait::kStopped) return "stopped";
  return wait == Wait::kTimeUp ? "its engine was not ready in time" : base::StrCat("its engine did not start: ", how);
}

ChildEngine::Wait ChildEngine::WaitForChild(base::MonotonicTime until) {
  while (true) {
    pollfd poll_for{.fd = child_->socket, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&poll_for, 1, kPollMs);
    if (ready > 0) return Wait::kReadable;  // also when the other end is closed
    if (Now() >= until) return Wait::kTimeUp;
    std::lock_guard lock(mutex_);
    if (stop_requested_) return Wait::kStopped;
  }
}

std::string ChildEngine::EndChild() {
  if (!child_) return "none";
  ::close(child_->socket);
  // A child that died by itself is a zombie by now, or will be: its socket is closed when it ends. Then the signal does
  // nothing, and the status says what it died of; only one that closed its socket and lives on is killed by this.
  int status = 0;
  pid_t ended = 0;
  const base::MonotonicTime patience = Now() + std::chrono::milliseconds(200);
  while ((ended = ::waitpid(child_->pid, &status, WNOHANG)) == 0 && Now() < patience) ::usleep(1000);
  if (ended == 0) {
    ::kill(child_->pid, SIGKILL);
    while (::waitpid(child_->pid, &status, 0) < 0 && errno == EINTR) continue;
  }
  child_.reset();
  return Describe(status);
}

}  // namespace worker
