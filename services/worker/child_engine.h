#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "libs/base/clock.h"
#include "services/worker/solo_engine.h"

namespace worker {

// What a sacrificial child is called, as its argv[0]: main runs RunChild instead of the worker's App.
inline constexpr char kChildName[] = "worker-child";

struct ChildOptions {
  std::string program = "/proc/self/exe";  // this same binary, also when its file has been replaced
  std::vector<std::string> arguments;      // the worker's own
  // For the model to load. A child that is not ready by then has failed, and no turn is to blame.
  base::Duration start_time_max = std::chrono::seconds(60);
  // Beyond a request's deadline: then the child is killed, and the request's time is up. An engine that stands still is
  // found by the child itself (child_main.h).
  base::Duration overtime_max = std::chrono::seconds(30);
  // Without a turn for so long the child ends, and its memory is free.
  base::Duration idle_time_max = std::chrono::seconds(30);
};

// Runs turns in a process of its own, the sacrificial child: this binary with the same options, a small engine and
// nothing else, no broker, no session. It is started for the first turn, takes one after another while all goes well,
// and is started anew when it has died. The child dies with this process, and with this object.
//
// Threading: Run and Stop from any thread; one thread of its own starts the child, talks to it and calls back.
class ChildEngine final : public SoloEngine {
 public:
  explicit ChildEngine(ChildOptions options);
  ~ChildEngine() override;  // a turn that runs is stopped, its callback runs first

  void Run(engine::GenerationRequest request, std::function<void(SoloOutcome)> on_done) override;
  void Stop() override;

 private:
  struct Job {
    engine::GenerationRequest request;
    std::function<void(SoloOutcome)> on_done;
  };
  struct Child {
    pid_t pid = -1;
    int socket = -1;
  };
  enum class Wait { kReadable, kTimeUp, kStopped };

  void Serve();
  SoloOutcome RunInChild(const engine::GenerationRequest& request);
  std::string StartChild();  // empty, or why there is none
  Wait WaitForChild(base::MonotonicTime until);
  std::string EndChild();  // kills it if it lives; how it ended

  const ChildOptions options_;
  std::optional<Child> child_;  // own thread

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Job> job_;       // protected by mutex_; taken by the own thread
  bool running_ = false;         // protected by mutex_
  bool stop_requested_ = false;  // protected by mutex_; of the turn that runs
  bool ending_ = false;          // protected by mutex_
  std::thread thread_;
};

}  // namespace worker
