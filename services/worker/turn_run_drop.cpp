// How a turn ends that is not answered by itself: another one stands for it, its user took it back, or is told that
// there is no time.
#include <utility>

#include "libs/bus/topics.h"
#include "libs/fault/fault.h"
#include "services/worker/turn_run.h"

namespace worker {
namespace {

mesh::bus::v1::DropPolicy ToProto(DropReason reason) {
  switch (reason) {
    case DropReason::kSuperseded:
      return mesh::bus::v1::DROP_POLICY_SUPERSEDED;
    case DropReason::kMerged:
      return mesh::bus::v1::DROP_POLICY_MERGED;
    case DropReason::kOverflow:
      return mesh::bus::v1::DROP_POLICY_OVERFLOW;
    case DropReason::kShed:
      return mesh::bus::v1::DROP_POLICY_SHED;
    case DropReason::kUnsent:
      return mesh::bus::v1::DROP_POLICY_UNSENT;
  }
  return mesh::bus::v1::DROP_POLICY_UNSPECIFIED;
}

}  // namespace

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
  fault::Here("worker_supersede_written");
  Project();
}

void TurnRun::TellBusy() {
  reply_.set_kind(mesh::bus::v1::REPLY_KIND_NOTICE);
  reply_.set_text(account_->busy_text);
  reply_.set_drop_policy(ToProto(drop_->reason));
  WriteReply();
}

}  // namespace worker
