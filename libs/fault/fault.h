#pragma once

#include <atomic>
#include <cstddef>
#include <string_view>

#include "absl/status/status.h"
#include "libs/fault/points.h"

// Fault points: named places in the services where a test makes the process die, freeze or wait.
//
//   fault::Here("worker_reply_written");
//
// Armed by one environment variable, read once when the process starts; there is no other way, so a running process
// cannot be armed, and one that was started without the variable never acts:
//
//   MESH_FAULT=worker_reply_written:kill       SIGKILL to itself the first time it comes by
//   MESH_FAULT=worker_reply_written:kill:7     the seventh time
//   MESH_FAULT=sender_claimed:stop:3           SIGSTOP to itself; whoever watches sends SIGCONT
//   MESH_FAULT=gateway_persisted:delay_ms=500  waits, this time and every later time; with :N from the Nth time on
//   MESH_FAULT=worker_engine_step:kill:text=MARKER    every time, but only for work whose text holds MARKER
//
// What one text brings about is the point of the last form, so it needs a place that asks Concerns(name, text) first;
// at any other its fault never happens.
//
// One point a process. Cost of a point that is not armed: one relaxed load and a compare.
// Threading: Here from any thread; ArmFromEnvironment before threads start. `stop` freezes the calling thread at the
// point, and with it the process.
namespace fault {

inline constexpr const char* kVariable = "MESH_FAULT";

// Place of a name in kPoints. A name that is not there does not compile.
class PointName {
 public:
  consteval PointName(const char* name) : index_(IndexOf(name)) {}  // implicit: Here("name") reads as intended
  constexpr std::size_t index() const { return index_; }

 private:
  static consteval std::size_t IndexOf(std::string_view name) {
    for (std::size_t i = 0; i < kPoints.size(); ++i) {
      if (kPoints[i].name == name) return i;
    }
    throw "not in libs/fault/points.h";  // evaluated by the compiler alone, as an error
  }

  std::size_t index_;
};

namespace internal {
inline constexpr std::size_t kNone = kPoints.size();
inline std::atomic<std::size_t> armed_index{kNone};
void Pass();  // a pass of the armed point
bool TextMatches(std::string_view text);
}  // namespace internal

// Whether work on `text` should come by the point: it is armed, and for any text or for a part of this one.
inline bool Concerns(PointName point, std::string_view text) {
  return internal::armed_index.load(std::memory_order_relaxed) == point.index() && internal::TextMatches(text);
}

inline void Here(PointName point) {
  if (internal::armed_index.load(std::memory_order_relaxed) == point.index()) [[unlikely]]
    internal::Pass();
}

// Arms what MESH_FAULT names; unset or empty: nothing. InvalidArgument when it names no point or no action: a fault
// that silently does not happen would prove nothing. Called by app::Runner. REQUIRES: no thread is in Here
absl::Status ArmFromEnvironment();

std::string_view ArmedPoint();  // its name; empty when none

}  // namespace fault
