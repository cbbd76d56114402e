#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"

namespace app {

// What /readyz tells, and whether with 200 or 503.
//   ready      200 `ready`
//   degraded   200 `degraded: reason`: something that it needs is away, and the work waits until it is back. Another
//              process in its place would wait for the same, so nobody should end this one or keep work from it.
//   not ready  503 `reason`: it starts, drains, or cannot take work: let others have it.
// That a process must be started again is another question, and /healthz answers it.
class Readiness {
 public:
  // OK: ready; else not ready, with the message as the reason.
  Readiness(const absl::Status& status)  // NOLINT(google-explicit-constructor): services without a third state
      : state_(status.ok() ? State::kReady : State::kNotReady), reason_(status.message()) {}

  static Readiness Ready() { return {State::kReady, ""}; }
  static Readiness Degraded(std::string reason) { return {State::kDegraded, std::move(reason)}; }
  static Readiness NotReady(std::string reason) { return {State::kNotReady, std::move(reason)}; }

  bool takes_work() const { return state_ != State::kNotReady; }
  std::string ToText() const {
    return state_ == State::kReady ? "ready" : state_ == State::kDegraded ? "degraded: " + reason_ : reason_;
  }

  friend bool operator==(const Readiness&, const Readiness&) = default;

 private:
  enum class State { kReady, kDegraded, kNotReady };
  Readiness(State state, std::string reason) : state_(state), reason_(std::move(reason)) {}

  State state_;
  std::string reason_;
};

}  // namespace app
