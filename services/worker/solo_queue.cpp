#include "services/worker/solo_queue.h"

#include <iterator>
#include <utility>

namespace worker {

void SoloQueue::Enter(std::int64_t written_ms, bool clearable, base::MonotonicTime now,
                      std::function<void(Place)> on_place) {
  if (clearable) {
    if (now - clearable_came_at_ >= kDeathApart) survivors_ = 0;
    clearable_came_at_ = now;
    if (survivors_ >= kSurvivorsMax) {
      state_->loop->Post([on_place = std::move(on_place)] { on_place(nullptr); });
      return;
    }
  }
  state_->waiting.emplace(written_ms, Waiting{clearable, std::move(on_place)});
  state_->loop->Post([state = state_] { GiveNext(state); });
}

void SoloQueue::Survived() {
  if (++survivors_ >= kSurvivorsMax) ClearOthers();
}

void SoloQueue::ClearOthers() {
  std::erase_if(state_->waiting, [this](const auto& waiting) {
    if (waiting.second.clearable) state_->loop->Post([on_place = waiting.second.on_place] { on_place(nullptr); });
    return waiting.second.clearable;
  });
}

void SoloQueue::GiveNext(const std::shared_ptr<State>& state) {
  if (state->taken || state->waiting.empty()) return;
  state->taken = true;
  const auto newest = std::prev(state->waiting.end());
  const std::function<void(Place)> on_place = std::move(newest->second.on_place);
  state->waiting.erase(newest);
  on_place(Place(state.get(), [state](void*) {
    state->loop->Post([state] {
      state->taken = false;
      GiveNext(state);
    });
  }));
}

}  // namespace worker
