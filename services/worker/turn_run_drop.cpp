// How a turn ends that is not answered by itself: another one stands for it, its user took it back, or a policy stands
// against it.
#include <utility>

#include "libs/bus/topics.h"
#include "libs/fault/fault.h"
#include "services/worker/turn_run.h"

namespace worker {

std::shared_ptr<TurnRun> TurnRun::StartDropped(const TurnContext& context, std::shared_ptr<TurnTask> task,
                                               DropOrder order, std::function<void(bool)> on_done) {
  auto run = std::make_shared<TurnRun>(context, std::move(task), std::move(on_done));
  run->drop_ = std::move(order);
  context.loop->Post([run] { run->Decode(); });
  return run;
}

void TurnRun::WriteSupersede() {
  if (EndIfAbandoned()) return;
  settled_ = true;
  place_.reset();
  mesh::bus::v1::ReplyRecord value;
  mesh::bus::v1::Supersede* supersede = value.mutable_supersede();
  supersede->set_turn_id(turn_.turn_id());
  supersede->set_by_turn_id(drop_->into_turn_id);
  *supersede->mutable_conversation() = turn_.conversation();
  supersede->set_policy(ToProto(drop_->reason));
  context_.producer->Produce(ToReplies(value), OnLoop(&TurnRun::OnSupersedeWritten));
}

void TurnRun::OnSupersedeWritten(absl::StatusOr<bus::RecordPosition> position) {
  if (!position.ok()) return WriteAgain(&TurnRun::WriteSupersede, bus::kReplies, position.status());
  retries_in_a_row_ = 0;
  reply_offset_ = position->offset;
  if (drop_->reason == DropReason::kUnsent) DeleteOwnMedia();
  fault::Here("worker_supersede_written");
  if (turn_.kind() == mesh::bus::v1::TURN_KIND_CONTROL) return Finish("event", /*completed=*/true);
  Project();
}

}  // namespace worker
