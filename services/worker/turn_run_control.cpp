// Who answers: what the account, the conversation and the message itself have decided before the model is asked.
#include <utility>

#include "services/worker/answer_policy.h"
#include "services/worker/disclosure.h"
#include "services/worker/rich_answer.h"
#include "services/worker/turn_run.h"

namespace worker {

void TurnRun::HeedPolicies() {
  if (EndIfAbandoned()) return;
  if (loaded_.unsent()) drop_ = DropOrder{.reason = DropReason::kUnsent};
  if (drop_ && !drop_->TellsUser()) return WriteSupersede();
  std::optional<Ruling> ruling = RuleOn(*account_, turn_, loaded_);
  if (ruling && !ruling->drops) return Say(mesh::bus::v1::REPLY_KIND_ANSWER, std::move(ruling->text));
  // Also in place of kShed: a user whom no bot answers is not told that the bot is busy.
  if (ruling) drop_ = DropOrder{.reason = *ruling->drops};
  if (drop_) return EndDropped(ruling ? std::move(ruling->text) : account_->busy_text);
  Begin();
}

void TurnRun::EndDropped(std::string text) {
  if (text.empty()) return WriteSupersede();
  reply_.set_drop_policy(ToProto(drop_->reason));
  Say(mesh::bus::v1::REPLY_KIND_NOTICE, std::move(text));
}

void TurnRun::Say(mesh::bus::v1::ReplyKind kind, std::string text) {
  reply_.set_kind(kind);
  reply_.set_text(WithDisclosure(*account_, turn_, loaded_, std::move(text)));
  if (kind == mesh::bus::v1::REPLY_KIND_ANSWER) TakeRichParts(*account_, turn_.message_id(), reply_);
  WriteReply();
}

}  // namespace worker
