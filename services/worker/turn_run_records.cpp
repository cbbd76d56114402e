// Records that change a conversation and are never answered: what they say is told to session, in their place in the
// lane, for as long as it takes.
#include <chrono>
#include <utility>

#include "libs/base/hex.h"
#include "libs/channel/identity_change.h"
#include "libs/telemetry/log.h"
#include "services/worker/turn_run.h"

namespace worker {
namespace {

// The store's deletions are many at the moment: a history that was forgotten may have hundreds.
constexpr base::Duration kDeleteAgain = std::chrono::milliseconds(250);

}  // namespace

bool TurnRun::MustTellAgain(Step step, const absl::Status& status, std::string_view refused) {
  if (!status.ok() && !IsPermanent(status)) {
    RetryLater(step, "session", status);
    return true;
  }
  *context_.session_fails = false;
  retries_in_a_row_ = 0;
  if (!status.ok()) {
    telemetry::Log(telemetry::LogLevel::kError, refused, trace_,
                   {{"turn", base::ToHex(turn_.turn_id())}, {"error", status.message()}});
  }
  return false;
}

// In its place in the old conversation's lane: what the user said before is projected already.
void TurnRun::LinkIdentity() {
  if (EndIfAbandoned()) return;
  const std::optional<channel::IdentityChange> change = channel::FindIdentityChange(turn_);
  if (!change) return Finish("event", /*completed=*/true);
  mesh::session::v1::LinkIdentityRequest request;
  *request.mutable_old_conversation() = change->old_conversation;
  *request.mutable_new_conversation() = change->new_conversation;
  request.set_changed_at_ms(change->changed_at_ms);
  context_.session->LinkIdentity(request, SessionCall(), OnLoop(&TurnRun::OnLinked));
}

void TurnRun::OnLinked(absl::StatusOr<mesh::session::v1::LinkIdentityResponse> response) {
  if (MustTellAgain(&TurnRun::LinkIdentity, response.status(), "identity_link_refused")) return;
  Finish("event", /*completed=*/true);
}

void TurnRun::ApplyControl() {
  if (EndIfAbandoned()) return;
  if (turn_.control() == mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED) return Finish("event", /*completed=*/true);
  mesh::session::v1::SetControlRequest request;
  *request.mutable_conversation() = turn_.conversation();
  request.set_action(turn_.control());
  request.set_turns_offset(task_->record.offset);
  if (turn_.kind() == mesh::bus::v1::TURN_KIND_CONTROL) request.set_turn_id(turn_.turn_id());
  context_.session->SetControl(request, SessionCall(), OnLoop(&TurnRun::OnControlApplied));
}

void TurnRun::OnControlApplied(absl::StatusOr<mesh::session::v1::SetControlResponse> response) {
  if (MustTellAgain(&TurnRun::ApplyControl, response.status(), "control_refused")) return;
  if (turn_.kind() != mesh::bus::v1::TURN_KIND_CONTROL) return HeedPolicies();
  // The sender, which does not read `turns`, is to know it too: it asks nobody to write again who is to hear nothing.
  if (turn_.control() == mesh::bus::v1::CONTROL_ACTION_OPT_OUT) drop_ = DropOrder{.reason = DropReason::kOptedOut};
  if (turn_.control() == mesh::bus::v1::CONTROL_ACTION_PAUSE) drop_ = DropOrder{.reason = DropReason::kHandoff};
  if (drop_) return WriteSupersede();
  Finish("event", /*completed=*/true);
}

void TurnRun::Unsend() {
  if (EndIfAbandoned()) return;
  mesh::session::v1::UnsendRequest request;
  *request.mutable_conversation() = turn_.conversation();
  request.set_turn_id(turn_.target_turn_id());
  context_.session->Unsend(request, SessionCall(), OnLoop(&TurnRun::OnUnsent));
}

void TurnRun::OnUnsent(absl::StatusOr<mesh::session::v1::UnsendResponse> response) {
  if (MustTellAgain(&TurnRun::Unsend, response.status(), "unsend_refused")) return;
  DeleteUnsent();
}

void TurnRun::DeleteUnsent() {
  if (EndIfAbandoned()) return;
  if (!DeleteMedia(turn_.target_turn_id())) return DeleteLater(&TurnRun::DeleteUnsent);
  Finish("event", /*completed=*/true);
}

// Whoever wrote the record tells session; the files are the worker's.
void TurnRun::Forget() {
  if (EndIfAbandoned()) return;
  for (; forgotten_count_ < turn_.forgotten_turn_ids_size(); ++forgotten_count_) {
    if (!DeleteMedia(turn_.forgotten_turn_ids(forgotten_count_))) return DeleteLater(&TurnRun::Forget);
  }
  Finish("event", /*completed=*/true);
}

void TurnRun::DeleteLater(Step step) {
  context_.loop->PostAfter(kDeleteAgain, [self = shared_from_this(), step] { ((*self).*step)(); });
}

}  // namespace worker
