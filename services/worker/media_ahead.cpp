#include "services/worker/media_ahead.h"

#include <chrono>
#include <utility>

#include "libs/base/check.h"
#include "services/worker/turn_media.h"

namespace worker {
namespace {

// Nobody waits for these, so a slow host may have more time than a turn could give it.
constexpr base::Duration kPatience = std::chrono::seconds(30);

// From writing to reading, by two clocks: less than it takes to notice a dead worker (--session-timeout-ms, 10 s).
constexpr std::int64_t kFreshMs = 3'000;

// The pool's queue is full of what turns that run have asked for: nobody tells when it is not any more.
constexpr base::Duration kRoomRecheck = std::chrono::milliseconds(250);

}  // namespace

void MediaAhead::Add(const std::shared_ptr<TurnTask>& task) {
  if (context_.media == nullptr || context_.media_ahead_max == 0) return;
  if (!task->queued.brings_files || task->record.note != 0) return;
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
  while (!waiting_.empty() && waiting_.front().task.expired()) waiting_.pop_front();
  if (stopped_ || waiting_.size() >= kWaitingMax) return;
  waiting_.push_back({.task = task});
  BeginNext();
}

void MediaAhead::BeginNext() {
  while (!waiting_.empty() && files_on_their_way_ < context_.media_ahead_max) {
    if (!context_.media->has_room()) return LookAgain();
    if (!BeginOneFile(waiting_.front())) waiting_.pop_front();
  }
}

void MediaAhead::LookAgain() {
  if (std::exchange(looks_again_, true)) return;
  context_.loop->PostAfter(kRoomRecheck, [this] {
    looks_again_ = false;
    BeginNext();
  });
}

bool MediaAhead::BeginOneFile(Waiting& turn) {
  const std::shared_ptr<TurnTask> task = turn.task.lock();
  if (task == nullptr) return false;  // it is over
  if (!turn.has_begun) {
    if (task->media != nullptr) return false;  // it has begun by itself
    task->media = MediaOf(*task);
    turn.has_begun = true;
  }
  if (task->media == nullptr || !task->media->HasMore()) return false;
  ++files_on_their_way_;
  std::shared_ptr<void> place(nullptr, [this, loop = context_.loop](void*) {
    loop->Post([this] {
      --files_on_their_way_;
      BeginNext();
    });
  });
  task->media->FetchOne(base::Clock::Real().Now() + kPatience, std::move(place));
  return true;
}

std::shared_ptr<TurnMedia> MediaAhead::MediaOf(const TurnTask& task) const {
  mesh::bus::v1::Turn turn;
  CHECK(turn.ParseFromString(task.record.value));  // DescribeTurn could
  std::shared_ptr<const account::AccountBook> book = context_.accounts->current();
  const account::Account* account = book->FindFor(turn.conversation());
  // Its run says so.
  if (account == nullptr || (context_.development_only && !account->development)) return nullptr;
  return std::make_shared<TurnMedia>(context_.loop, context_.media, std::move(book), account, turn);
}

}  // namespace worker
