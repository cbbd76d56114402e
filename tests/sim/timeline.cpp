#include "tests/sim/timeline.h"

#include <algorithm>

namespace sim {

bool Process::frozen() const { return wakes_at_ > time_->now(); }

void Process::After(base::Duration delay, std::function<void()> task) {
  if (alive_) time_->At(time_->now() + delay, this, std::move(task));
}

void Timeline::At(base::MonotonicTime when, Process* of, std::function<void()> task) {
  Push({std::max(when, now_), next_number_++, of, std::move(task)});
}

void Timeline::Clear() {
  while (!heap_.empty()) {
    std::vector<Event> gone;
    gone.swap(heap_);
  }
}

void Timeline::Push(Event event) {
  heap_.push_back(std::move(event));
  std::push_heap(heap_.begin(), heap_.end(), Later);
}

bool Timeline::RunNext() {
  if (heap_.empty()) return false;
  std::pop_heap(heap_.begin(), heap_.end(), Later);
  Event event = std::move(heap_.back());
  heap_.pop_back();
  now_ = event.at;
  if (event.of != nullptr) {
    if (!event.of->alive()) return true;
    if (event.of->frozen()) {
      event.at = event.of->wakes_at();
      event.number = next_number_++;
      Push(std::move(event));
      return true;
    }
  }
  ++tasks_run_;
  event.task();
  return true;
}

}  // namespace sim
