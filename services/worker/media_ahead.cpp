#include "services/worker/media_ahead.h"

#include <chrono>
#include <utility>

#include "libs/base/check.h"
#include "services/worker/turn_media.h"

namespace worker {
namespace {

// Nobody waits for these, so a slow host may have more time than a turn could give it.
constexpr base::Duration kPatience = std::chrono::seconds(30);

// From writing to reading, by two clocks: less than it takes to notice a dead worker, mostly.
constexpr std::int64_t kFreshMs = 10'000;

}  // namespace

void MediaAhead::Add(const std::shared_ptr<TurnTask>& task) {
  if (context_.media == nullptr || !task->queued.brings_files || task->record.note != 0) return;
  const bool is_fresh = context_.clock->WallMs() - task->record.timestamp_ms <= kFreshMs;
  if (is_fresh) return Queue(task);
  context_.loop->PostAfter(probation_, [this, weak = std::weak_ptr<TurnTask>(task)] {
    if (const std::shared_ptr<TurnTask> still_here = weak.lock()) Queue(still_here);
  });
}

void MediaAhead::Stop() {
  stopped_ = true;
  waiting_.clear();
}

void MediaAhead::Queue(const std::shared_ptr<TurnTask>& task) {
  while (!waiting_.empty() && waiting_.front().expired()) waiting_.pop_front();
  if (stopped_ || waiting_.size() >= kWaitingMax) return;
  waiting_.push_back(task);
  BeginNext();
}

void MediaAhead::BeginNext() {
  while (!waiting_.empty() && files_on_their_way_ < context_.media_ahead_max) {
    const std::shared_ptr<TurnTask> task = waiting_.front().lock();
    waiting_.pop_front();
    if (task != nullptr && task->media == nullptr) Begin(*task);  // else it is over, or has begun by itself
  }
}

void MediaAhead::Begin(TurnTask& task) {
  mesh::bus::v1::Turn turn;
  CHECK(turn.ParseFromString(task.record.value));  // DescribeTurn could
  std::shared_ptr<const account::AccountBook> book = context_.accounts->current();
  const account::Account* account = book->Find(turn.conversation().channel(), turn.conversation().account());
  if (account == nullptr || account->tenant != turn.conversation().tenant()) return;  // its run says so
  if (context_.development_only && !account->development) return;
  task.media = std::make_shared<TurnMedia>(context_.loop, context_.media, std::move(book), account, turn);
  const std::size_t files = task.media->files_count();
  files_on_their_way_ += files;
  const std::shared_ptr<void> place(nullptr, [this, loop = context_.loop, files](void*) {
    loop->Post([this, files] {
      files_on_their_way_ -= files;
      BeginNext();
    });
  });
  task.media->Fetch(base::Clock::Real().Now() + kPatience, place);
}

}  // namespace worker
