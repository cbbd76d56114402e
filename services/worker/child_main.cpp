#include "services/worker/child_main.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <string_view>

#include "libs/base/usable_memory.h"
#include "libs/engine/usable_cores.h"
#include "libs/fault/fault.h"
#include "libs/telemetry/log.h"
#include "services/worker/child_wire.h"

namespace worker {
namespace {

constexpr auto kAliveCheck = std::chrono::milliseconds(200);

void LimitWhatATurnCanDo() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // the thread that started us lives as long as the worker
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // Not with a sanitizer, whose shadow memory counts as data and whose leak check traces its own process.
  prctl(PR_SET_DUMPABLE, 0);  // a core file would hold what users wrote
  const auto bytes = static_cast<rlim_t>(base::UsableMemoryBytes() / 2);
  const rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
  setrlimit(RLIMIT_DATA, &limit);
#endif
  // Of the two the kernel should take this one when memory ends.
  const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file >= 0) {
    constexpr std::string_view kFirst = "1000";
    if (write(file, kFirst.data(), kFirst.size()) < 0) telemetry::LogWarning("oom_score_not_set");
    close(file);
  }
}

absl::StatusOr<engine::GenerationResult> Answer(engine::Engine& engine, engine::GenerationRequest request) {
  std::promise<absl::StatusOr<engine::GenerationResult>> done;
  auto result = done.get_future();
  const absl::StatusOr<engine::SequenceId> id = engine.Submit(
      std::move(request), [&done](absl::StatusOr<engine::GenerationResult> end) { done.set_value(std::move(end)); });
  if (!id.ok()) return id.status();
  while (result.wait_for(kAliveCheck) != std::future_status::ready) {
    if (engine.alive()) continue;
    telemetry::LogError("child_stalled", {{"exit_code", kExitChildStalled}});
    _exit(kExitChildStalled);  // no destructor: it would wait for the step that stands still
  }
  return result.get();
}

}  // namespace

engine::EngineOptions ChildEngineOptions(const Options& options, int usable_cores) {
  engine::EngineOptions engine = EngineOptionsOf(options);
  if (engine.device != "cpu") {
    engine.device = "cpu";
    engine.device_ordinal = 0;
    engine.tensor_parallel = 1;
    engine.weights = "file";
    engine.kv = "auto";
    engine.kv_blocks = 0;
    engine.step_tokens_max = 0;
  }
  engine.sequences_max = 1;
  engine.queue_max = 1;
  engine.prefix_cache = false;
  engine.swap_blocks = 0;
  if (engine.threads == 0) engine.threads = std::clamp(usable_cores / 2, 1, 256);
  return engine;
}

int RunChild(const Options& options) {
  LimitWhatATurnCanDo();
  if (absl::Status status = fault::ArmFromEnvironment(); !status.ok()) {
    telemetry::LogError("child_start_failed", {{"error", status.ToString()}});
    return 1;
  }
  absl::StatusOr<std::unique_ptr<engine::Engine>> engine =
      engine::MakeEngine(ChildEngineOptions(options, engine::UsableCores()));
  if (!engine.ok()) {
    telemetry::LogError("child_start_failed", {{"error", engine.status().ToString()}});
    return 1;
  }
  if (!SendFrame(kChildSocket, mesh::inference::v1::ChildAnswer())) return 0;
  mesh::inference::v1::ChildRequest request;
  while (ReceiveFrame(kChildSocket, &request)) {
    const base::MonotonicTime now = base::Clock::Real().Now();
    if (!SendFrame(kChildSocket, ToWire(Answer(**engine, FromWire(request, now))))) break;
  }
  return 0;
}

}  // namespace worker
