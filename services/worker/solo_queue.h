#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "libs/app/event_loop.h"

namespace worker {

// One place, for the suspect that runs alone; the others wait for it, the newest first: most of what kills does so at
// its first step, so that the youngest of those that died together did it, and is known soon.
//
// Threading: Enter and waiting_count on the loop thread; a place may be let go on any thread.
// Lifetime:  the loop outlives the places.
class SoloQueue {
 public:
  using Place = std::shared_ptr<void>;  // held while alive

  explicit SoloQueue(app::EventLoop* loop) : state_(std::make_shared<State>(State{.loop = loop})) {}

  // `on_place` gets the place, on the loop thread, after this has returned. `written_ms`: when the record was.
  void Enter(std::int64_t written_ms, std::function<void(Place)> on_place);

  std::size_t waiting_count() const { return state_->waiting.size(); }

 private:
  struct State {
    app::EventLoop* loop = nullptr;
    std::multimap<std::int64_t, std::function<void(Place)>> waiting{};  // by the time of the record
    bool taken = false;
  };
  static void GiveNext(const std::shared_ptr<State>& state);

  const std::shared_ptr<State> state_;  // also held by the place that is taken
};

}  // namespace worker
