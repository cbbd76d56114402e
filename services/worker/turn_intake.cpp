#include "services/worker/turn_intake.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "libs/base/check.h"
#include "libs/bus/headers.h"
#include "libs/telemetry/log.h"
#include "services/worker/queued_turn.h"

namespace worker {
namespace {

// Credit may return without a turn of ours ending (a cancelled sequence's blocks): look again.
constexpr base::Duration kCreditRecheck = std::chrono::milliseconds(20);

// What a turn is taken to need before its context is known: a typical prompt with some history, and an answer. Too low
// only means that the engine queues or preempts; too high, that it idles.
constexpr std::int32_t kPredictedTokens = 512;

// Session could not say whether a turn is finished: a takeover waits so long for the next try.
constexpr base::Duration kAskAgain = std::chrono::milliseconds(500);

// How often the whole queue is looked through for turns that wait in vain: a full window has thousands.
constexpr base::Duration kSheddingInterval = std::chrono::milliseconds(250);

}  // namespace

TurnIntake::TurnIntake(const TurnContext& context, const ReadWindow& empty_window)
    : context_(context), empty_window_(empty_window), media_ahead_(context) {}

TurnIntake::~TurnIntake() = default;

void TurnIntake::OnAssigned(const bus::TopicPartition& partition, std::int64_t next_offset, std::string_view) {
  {
    std::lock_guard lock(mutex_);
    windows_.erase(partition);
    windows_.emplace(partition, Window{.assignment = ++assignments_, .read = empty_window_, .paused = false});
  }
  telemetry::LogInfo("partition_assigned", {{"partition", partition.partition}, {"next_offset", next_offset}});
}

void TurnIntake::OnRevoked(const bus::TopicPartition& partition, bool lost) {
  {
    std::lock_guard lock(mutex_);
    windows_.erase(partition);
  }
  context_.journal->OnRevoked(partition, lost);
  telemetry::LogInfo("partition_revoked", {{"partition", partition.partition}, {"lost", lost}});
  context_.loop->Post([this, partition] { Revoke(partition); });
}

void TurnIntake::OnRecord(bus::Record record) {
  const bus::TopicPartition partition{record.topic, record.partition};
  auto task = std::make_shared<TurnTask>();
  task->record = std::move(record);
  task->read_at = context_.clock->Now();
  {
    std::lock_guard lock(mutex_);
    const auto it = windows_.find(partition);
    if (it == windows_.end()) return;  // revoked a moment ago; the new owner reads it
    Window& window = it->second;
    task->assignment = window.assignment;
    window.read.Begin(task->record.offset, task->record.key.size() + task->record.value.size());
    if (!window.paused && window.read.full()) {
      window.paused = true;
      consumer_->Pause(partition);
    }
  }
  context_.loop->Post([this, task = std::move(task)]() mutable { Admit(std::move(task)); });
}

std::size_t TurnIntake::partitions_count() const {
  std::lock_guard lock(mutex_);
  return windows_.size();
}

void TurnIntake::Admit(std::shared_ptr<TurnTask> task) {
  {
    std::lock_guard lock(mutex_);
    const auto it = windows_.find({task->record.topic, task->record.partition});
    if (it == windows_.end() || it->second.assignment != task->assignment) return;
  }
  task->queued = DescribeTurn(task->record, *context_.accounts->current(), task->read_at);
  if (task->queued.is_event) {
    if (starting_) PassEvent(task);
    return;
  }
  const std::string key = task->record.key;
  lanes_.Push(task);
  media_ahead_.Add(task);
  if (!task->queued.unsent_turn_id.empty()) DropUnsent(*task);
  Consider(key);
  StartWhatFits();
  // Its user is told at once, and not when its deadline has passed in vain.
  if (lanes_.LastReadyHead() == task) ShedIfHopeless(task, lanes_.ready_lanes_count() - 1);
}

void TurnIntake::Revoke(const bus::TopicPartition& partition) {
  lanes_.DropWaiting(partition);
  for (const auto* runs : {&runs_, &side_runs_}) {
    for (const auto& [task, run] : *runs) {
      if (task->record.topic == partition.topic && task->record.partition == partition.partition) run->Abandon();
    }
  }
  ExportGauges();
}

bool TurnIntake::EngineHasRoom() const {
  if (runs_.empty()) return true;  // an idle engine takes one turn whatever the prediction says
  const engine::Credit credit = context_.engine->credit();
  // Turns that have started but not reached the engine yet will each take a place; so will the one about to start.
  const auto coming =
      1 + std::count_if(runs_.begin(), runs_.end(), [](const auto& entry) { return !entry.second->submitted(); });
  return credit.sequences_free >= coming &&
         credit.blocks_free * credit.block_size >= coming * static_cast<std::int64_t>(kPredictedTokens);
}

bool TurnIntake::LookAtQueue() {
  // While session is away turns wait for it, whatever the engine does.
  const bool engine_is_full = lanes_.ready_lanes_count() > 0 && !EngineHasRoom() && !*context_.session_fails;
  shedder_.Look(context_.clock->Now(), engine_is_full);
  lanes_.SetQueueTime(shedder_.queue_time());
  return engine_is_full;
}

void TurnIntake::ShedHopeless() {
  const base::MonotonicTime now = context_.clock->Now();
  if (!starting_ || now < next_shedding_) return;
  next_shedding_ = now + kSheddingInterval;
  for (const std::shared_ptr<TurnTask>& head : lanes_.ReadyHeads()) ShedIfHopeless(head, /*ahead=*/0);
}

void TurnIntake::ShedIfHopeless(const std::shared_ptr<TurnTask>& head, std::size_t ahead) {
  if (!head->queued.is_user_turn) return;
  const base::Duration waited = shedder_.queue_time() - head->ready_at;
  if (shedder_.IsHopeless(waited, ahead, head->queued.deadline)) ShedLane(head->record.key);
}

void TurnIntake::ShedLane(const std::string& key) {
  const std::optional<Takeover> shedding = ProposeShedding(lanes_.ViewOf(key));
  if (!shedding) return;
  const std::shared_ptr<TurnTask> newest = lanes_.FindWaiting(key, shedding->into_offset);
  if (shedding->offsets.empty()) return Apply(*shedding, newest);  // its own run asks whether it is finished
  shedding_.insert(key);
  AskWhetherFinished(newest);
}

void TurnIntake::StartWhatFits() {
  if (LookAtQueue()) ShedHopeless();
  while (starting_ && lanes_.ready_lanes_count() > 0) {
    if (!EngineHasRoom()) {
      if (!recheck_scheduled_) {
        recheck_scheduled_ = true;
        context_.loop->PostAfter(kCreditRecheck, [this] {
          recheck_scheduled_ = false;
          StartWhatFits();
        });
      }
      break;
    }
    std::shared_ptr<TurnTask> task = lanes_.StartNext();
    const TurnTask* id = task.get();
    task->queue_delay = shedder_.queue_time() - task->ready_at;
    shedder_.OnStarted();
    runs_.emplace(id, TurnRun::Start(context_, task, [this, task](bool completed) { EndTurn(task, completed); }));
  }
  LookAtQueue();  // what started may have filled the engine
  ExportGauges();
}

void TurnIntake::EndTurn(const std::shared_ptr<TurnTask>& task, bool completed) {
  runs_.erase(task.get());
  if (task->answer_time > base::Duration::zero()) shedder_.OnAnswered(task->answer_time);
  lanes_.Finish(*task);
  EndOfRecord(*task, completed);
  Consider(task->record.key);
  StartWhatFits();
}

void TurnIntake::EndOfRecord(const TurnTask& task, bool completed) {
  const bus::TopicPartition partition{task.record.topic, task.record.partition};
  std::lock_guard lock(mutex_);
  const auto it = windows_.find(partition);
  if (it == windows_.end() || it->second.assignment != task.assignment) return;
  Window& window = it->second;
  if (completed) {
    consumer_->MarkDone(partition, task.record.offset);
    context_.journal->Forget(task);
  }
  window.read.End(task.record.offset);
  if (window.paused && window.read.has_room()) {
    window.paused = false;
    consumer_->Resume(partition);
  }
}

void TurnIntake::Consider(const std::string& key) {
  const TurnTask* newest = lanes_.NewestIn(key);
  if (!starting_ || newest == nullptr) return;
  // The usual case, at no cost: each turn is answered, in order.
  if (newest->queued.mode == QueueMode::kFollowup && lanes_.WaitingIn(key) <= kLaneWaitingMax) {
    return lanes_.SetHeld(key, false);
  }
  const base::MonotonicTime now = context_.clock->Now();
  const LaneView view = ViewOf(key);
  const std::optional<base::MonotonicTime> hold_until = HoldUntil(view, now);
  const std::optional<Takeover> takeover = ProposeTakeover(view, now);
  // While session is asked, too, or the first of the group would start alone.
  lanes_.SetHeld(key, hold_until.has_value() || (takeover && takeover->reason == DropReason::kMerged));
  if (hold_until) {
    context_.loop->PostAfter(*hold_until - now, [this, key] {
      Consider(key);
      StartWhatFits();
    });
  }
  if (takeover) AskWhetherFinished(lanes_.FindWaiting(key, takeover->into_offset));
}

LaneView TurnIntake::ViewOf(const std::string& key) const {
  LaneView view = lanes_.ViewOf(key);
  const auto run = runs_.find(lanes_.RunningIn(key));
  view.running_may_stop = run != runs_.end() && run->second->may_be_dropped();
  return view;
}

void TurnIntake::AskWhetherFinished(const std::shared_ptr<TurnTask>& into) {
  if (!asking_.insert(into->record.key).second) return;  // considered again with the answer
  mesh::bus::v1::Turn turn;
  CHECK(turn.ParseFromString(into->record.value));  // DescribeTurn could
  mesh::session::v1::LoadContextRequest request;
  *request.mutable_conversation() = turn.conversation();
  request.set_turn_id(turn.turn_id());
  session::Client::CallOptions options;
  options.trace = bus::TraceOf(into->record.headers).NewChild();
  context_.session->LoadContext(
      request, options, [this, into](absl::StatusOr<mesh::session::v1::LoadContextResponse> response) {
        context_.loop->Post([this, into, response = std::move(response)] { OnWhetherFinished(into, response); });
      });
}

void TurnIntake::OnWhetherFinished(const std::shared_ptr<TurnTask>& into,
                                   const absl::StatusOr<mesh::session::v1::LoadContextResponse>& response) {
  const std::string& key = into->record.key;
  if (!response.ok() && !IsPermanent(response.status())) {
    context_.metrics->CountRetry("session");
    shedding_.erase(key);  // the engine may have room by then
    return context_.loop->PostAfter(kAskAgain, [this, into] {
      asking_.erase(into->record.key);
      Consider(into->record.key);
      StartWhatFits();
    });
  }
  asking_.erase(key);
  const bool is_shed = shedding_.erase(key) > 0;
  if (lanes_.FindWaiting(key, into->record.offset) == into) {
    if (!response.ok()) {
      into->queued.is_user_turn = false;                  // takes its turn, and its run gives it up
    } else if (response->done() || response->unsent()) {  // its run ends by itself
      lanes_.TakeOut(key, into->record.offset);
      RunAside(into, std::nullopt);
    } else {
      // What came after it in the meantime asks for itself.
      LaneView view = ViewOf(key);
      std::erase_if(view.waiting, [&](const QueuedTurn* turn) { return turn->offset > into->record.offset; });
      const std::optional<Takeover> takeover =
          is_shed ? ProposeShedding(view) : ProposeTakeover(view, context_.clock->Now());
      if (takeover && takeover->into_offset == into->record.offset) Apply(*takeover, into);
    }
  }
  Consider(key);
  StartWhatFits();
}

void TurnIntake::Apply(const Takeover& takeover, const std::shared_ptr<TurnTask>& into) {
  const DropOrder order{.reason = takeover.reason, .into_turn_id = into->queued.turn_id};
  into->stands_for_too_many |= takeover.reason == DropReason::kOverflow;
  if (takeover.stops_running) runs_.at(lanes_.RunningIn(into->record.key))->Drop(order);
  for (const std::int64_t offset : takeover.offsets) RunAside(lanes_.TakeOut(into->record.key, offset), order);
  if (takeover.reason != DropReason::kShed) return;
  RunAside(lanes_.TakeOut(into->record.key, takeover.into_offset), DropOrder{.reason = DropReason::kShed});
}

void TurnIntake::RunAside(const std::shared_ptr<TurnTask>& task, std::optional<DropOrder> order) {
  auto on_done = [this, task](bool completed) {
    side_runs_.erase(task.get());
    lanes_.FinishTakenOut(*task);
    EndOfRecord(*task, completed);
    Consider(task->record.key);
    StartWhatFits();
  };
  side_runs_.emplace(task.get(), order ? TurnRun::StartDropped(context_, task, *std::move(order), std::move(on_done))
                                       : TurnRun::Start(context_, task, std::move(on_done)));
}

void TurnIntake::PassEvent(const std::shared_ptr<TurnTask>& task) {
  side_runs_.emplace(task.get(), TurnRun::Start(context_, task, [this, task](bool completed) {
                       side_runs_.erase(task.get());
                       EndOfRecord(*task, completed);
                     }));
}

void TurnIntake::DropUnsent(const TurnTask& unsend) {
  if (!starting_) return;  // the next owner reads both
  const std::string& key = unsend.record.key;
  const std::string& turn_id = unsend.queued.unsent_turn_id;
  const DropOrder order{.reason = DropReason::kUnsent};
  const LaneView view = ViewOf(key);
  std::vector<std::int64_t> offsets;  // a retried webhook gives several
  for (const QueuedTurn* waiting : view.waiting) {
    if (waiting->turn_id == turn_id) offsets.push_back(waiting->offset);
  }
  if (view.running_may_stop && view.running->turn_id == turn_id) runs_.at(lanes_.RunningIn(key))->Drop(order);
  for (const std::int64_t offset : offsets) RunAside(lanes_.TakeOut(key, offset), order);
}

void TurnIntake::StopStarting() {
  starting_ = false;
  media_ahead_.Stop();
}

void TurnIntake::AbandonAll() {
  for (const auto* runs : {&runs_, &side_runs_}) {
    for (const auto& [task, run] : *runs) run->Abandon();
  }
}

void TurnIntake::ExportGauges() const {
  context_.metrics->lanes_waiting.Set(static_cast<double>(lanes_.waiting_count()));
  context_.metrics->lanes_running.Set(static_cast<double>(lanes_.running_count()));
}

}  // namespace worker
