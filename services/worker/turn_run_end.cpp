// How a turn ends that is given up: the decision, the notice, the dead letter.
#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "libs/base/hex.h"
#include "libs/bus/topics.h"
#include "libs/fault/fault.h"
#include "libs/telemetry/log.h"
#include "services/worker/turn_run.h"

namespace worker {
namespace {

// How long before its acceptance something can have been written of a turn: by a run of an earlier record of the same
// message, whose webhook was not acknowledged in time. Later retries than that are known as done, unless Redis was
// lost. It also covers clocks that differ.
constexpr base::Duration kAcceptedEarlierMax = std::chrono::hours(1);

}  // namespace

void TurnRun::GiveUp(bus::DeadLetterReason reason, std::string detail) {
  settled_ = true;
  giving_up_ = true;
  drop_.reset();  // an order that came too late: the turn is given up
  place_.reset();
  reply_.Clear();
  dead_reason_ = reason;
  dead_detail_ = std::move(detail);
  const bool can_tell_user = account_ != nullptr && !turn_.conversation().user().empty();
  can_tell_user ? NoteGivenUp() : WriteDeadLetter();
}

void TurnRun::NoteGivenUp() {
  if (EndIfAbandoned()) return;
  const Attempts decided = known_.GivenUp(dead_reason_);
  context_.journal->Note(*task_, decided, /*at_rest=*/decided, OnLoop(&TurnRun::OnGivenUpNoted));
}

void TurnRun::OnGivenUpNoted(bool durable) {
  if (!durable) {
    return RetryLater(&TurnRun::NoteGivenUp, "broker", absl::UnavailableError("the journal takes no note"));
  }
  retries_in_a_row_ = 0;
  const bool is_too_long = dead_reason_ == bus::DeadLetterReason::kPromptTooLong;
  Say(mesh::bus::v1::REPLY_KIND_NOTICE, is_too_long ? account_->too_long_text : account_->notice_text);
}

// Before a notice that was refused, everything stands that there is.
void TurnRun::FindEarlierReply() {
  if (EndIfAbandoned()) return;
  context_.reply_log->FindFirst(
      {.partition = task_->record.partition,
       .turn_id = turn_.turn_id(),
       .generation = generation_,
       .from_ms = std::max<std::int64_t>(0, turn_.accepted_at_ms() - base::ToMs(kAcceptedEarlierMax)),
       .before_offset = reply_offset_ >= 0 ? reply_offset_ : std::numeric_limits<std::int64_t>::max()},
      OnLoop(&TurnRun::OnEarlierReply));
}

void TurnRun::OnEarlierReply(absl::StatusOr<std::optional<FirstReply>> first) {
  if (!first.ok()) return RetryLater(&TurnRun::FindEarlierReply, "broker", first.status());
  retries_in_a_row_ = 0;
  if (!first->has_value()) return WriteDeadLetter();
  const mesh::bus::v1::ReplyRecord& record = (*first)->record;
  if (record.reply().kind() == mesh::bus::v1::REPLY_KIND_NOTICE) return WriteDeadLetter();  // said by an earlier life
  telemetry::Log(telemetry::LogLevel::kInfo, "turn_was_said_before", trace_,
                 {{"turn", base::ToHex(turn_.turn_id())}, {"reply_offset", (*first)->offset}});
  giving_up_ = false;
  reply_offset_ = (*first)->offset;
  reply_ = record.reply();  // of a withdrawal nothing
  if (record.has_supersede()) {
    drop_ = DropOrder{.reason = ReasonOf(record.supersede().policy()), .into_turn_id = record.supersede().by_turn_id()};
  }
  Project();
}

void TurnRun::WriteDeadLetter() {
  if (EndIfAbandoned()) return;
  bus::ProduceDeadLetter(*context_.producer, context_.bus, task_->record, dead_reason_, dead_detail_, attempts_,
                         "worker", OnLoop(&TurnRun::OnDeadLetterWritten));
}

void TurnRun::OnDeadLetterWritten(absl::StatusOr<bus::RecordPosition> position) {
  if (!position.ok()) return WriteAgain(&TurnRun::WriteDeadLetter, bus::kDeadLetter, position.status());
  retries_in_a_row_ = 0;
  context_.metrics->CountDeadLetter(dead_reason_);
  telemetry::Log(telemetry::LogLevel::kWarning, "turn_dead_lettered", trace_,
                 {{"turn", base::ToHex(turn_.turn_id())},
                  {"reason", bus::ToString(dead_reason_)},
                  {"detail", dead_detail_},
                  {"partition", task_->record.partition},
                  {"offset", task_->record.offset}});
  fault::Here("worker_dead_letter_written");
  const bool user_was_told = reply_offset_ >= 0;
  user_was_told ? Project() : Finish("dead_letter", /*completed=*/true);
}

}  // namespace worker
