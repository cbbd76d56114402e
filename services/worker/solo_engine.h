#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "libs/engine/engine.h"

namespace worker {

// How a try to answer a turn apart from this process ended.
struct SoloOutcome {
  enum class Kind {
    kAnswered,    // `result` is the engine's word, an error or an answer; kCancelled after Stop
    kDied,        // the turn took the process along in which it ran
    kNotStarted,  // there was no process to run it in: the turn has done nothing
  };
  Kind kind = Kind::kNotStarted;
  std::string how;  // kDied, kNotStarted: "signal 11", "no engine within 60 s"
  absl::StatusOr<engine::GenerationResult> result = absl::UnknownError("no answer");
};

// An engine that its caller survives, whatever a turn does to it. One turn at a time.
class SoloEngine {
 public:
  virtual ~SoloEngine() = default;

  // `on_done` is called once, on a thread of the engine's own. REQUIRES: the turn before has had its outcome
  virtual void Run(engine::GenerationRequest request, std::function<void(SoloOutcome)> on_done) = 0;
  // Ends the turn that runs, soon; without one nothing happens.
  virtual void Stop() = 0;
};

}  // namespace worker
