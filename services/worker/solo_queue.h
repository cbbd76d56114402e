#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "libs/app/event_loop.h"

namespace worker {

// One place, for the suspect that runs alone; the others wait for it, the newest first: most of what kills does so at
// its first step, so that the youngest of those that died together did it, and is known soon. Then those against whom
// nothing speaks but that death need not wait any more: with 31 of them that would be minutes.
//
// Threading: all but letting a place go, which may be on any thread, on the loop thread.
// Lifetime:  the loop outlives the places.
class SoloQueue {
 public:
  using Place = std::shared_ptr<void>;  // held while alive

  explicit SoloQueue(app::EventLoop* loop) : state_(std::make_shared<State>(State{.loop = loop})) {}

  // `on_place` gets the place, or null when it is cleared, on the loop thread, after this has returned.
  // `written_ms`: when the record was. `clearable`: a worker died while it ran with others, and that is all.
  void Enter(std::int64_t written_ms, bool clearable, std::function<void(Place)> on_place);

  // The death of a worker has an author. If there was another one too, the next death makes the same turns suspects.
  void ClearOthers();

  std::size_t waiting_count() const { return state_->waiting.size(); }

 private:
  struct Waiting {
    bool clearable = false;
    std::function<void(Place)> on_place;
  };
  struct State {
    app::EventLoop* loop = nullptr;
    std::multimap<std::int64_t, Waiting> waiting{};  // by the time of the record
    bool taken = false;
  };
  static void GiveNext(const std::shared_ptr<State>& state);

  const std::shared_ptr<State> state_;  // also held by the place that is taken
};

}  // namespace worker
