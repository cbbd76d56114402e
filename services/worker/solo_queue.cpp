#include "services/worker/solo_queue.h"

#include <iterator>
#include <utility>

namespace worker {

void SoloQueue::Enter(std::int64_t written_ms, std::function<void(Place)> on_place) {
  state_->waiting.emplace(written_ms, std::move(on_place));
  state_->loop->Post([state = state_] { GiveNext(state); });
}

void SoloQueue::GiveNext(const std::shared_ptr<State>& state) {
  if (state->taken || state->waiting.empty()) return;
  state->taken = true;
  const auto newest = std::prev(state->waiting.end());
  const std::function<void(Place)> on_place = std::move(newest->second);
  state->waiting.erase(newest);
  on_place(Place(state.get(), [state](void*) {
    state->loop->Post([state] {
      state->taken = false;
      GiveNext(state);
    });
  }));
}

}  // namespace worker
