#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "libs/app/event_loop.h"
#include "libs/base/clock.h"

namespace worker {

// So many of those that died together are tried alone and survive; then the others go back to the batch.
inline constexpr int kSurvivorsMax = 4;
// Suspects that come this long after the last one are of another death.
inline constexpr base::Duration kDeathApart = std::chrono::seconds(30);

// One place, for the suspect that runs alone; the others wait for it, the newest first: most of what kills does so at
// its first step, so that the youngest of those that died together did it, and is known soon.
//
// Against most suspects nothing speaks but one death, which may have been anybody's: a node was lost, the kernel was
// out of memory. All of them alone, one after the other, would take 31 innocent ones minutes. So they are cleared, and
// run with others again, once the death has an author, and also once the few likeliest have survived. An author among
// those costs one more worker, and then it is alone for certain (Attempts::began_again).
//
// Threading: all but letting a place go, which may be on any thread, on the loop thread.
// Lifetime:  the loop outlives the places.
class SoloQueue {
 public:
  using Place = std::shared_ptr<void>;  // held while alive

  explicit SoloQueue(app::EventLoop* loop) : state_(std::make_shared<State>(State{.loop = loop})) {}

  // `on_place` gets the place, or null when it is cleared, on the loop thread, after this has returned.
  // `written_ms`: when the record was. `clearable`: one worker died while it ran with others, and that is all.
  void Enter(std::int64_t written_ms, bool clearable, base::MonotonicTime now, std::function<void(Place)> on_place);

  // A clearable one ran alone and did no harm.
  void Survived();
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

  int survivors_ = 0;                      // of the death that the clearable ones are of
  base::MonotonicTime clearable_came_at_;  // the last of them
  const std::shared_ptr<State> state_;     // also held by the place that is taken
};

}  // namespace worker
