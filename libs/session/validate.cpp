#include "libs/session/validate.h"

#include <string_view>

#include "libs/base/str_cat.h"

namespace session {
namespace {

using mesh::bus::v1::ConversationId;

absl::Status Part(std::string_view field, std::string_view name, std::string_view value) {
  if (value.empty()) return absl::InvalidArgumentError(base::StrCat(field, ".", name, " is empty"));
  if (value.size() > kConversationPartBytesMax) {
    return absl::InvalidArgumentError(
        base::StrCat(field, ".", name, " has ", value.size(), " bytes, at most ", kConversationPartBytesMax));
  }
  return absl::OkStatus();
}

absl::Status Conversation(std::string_view field, bool present, const ConversationId& id) {
  if (!present) return absl::InvalidArgumentError(base::StrCat(field, " is missing"));
  if (id.channel() == mesh::bus::v1::CHANNEL_UNSPECIFIED || !mesh::bus::v1::Channel_IsValid(id.channel())) {
    return absl::InvalidArgumentError(base::StrCat(field, ".channel is not a channel"));
  }
  if (absl::Status status = Part(field, "tenant", id.tenant()); !status.ok()) return status;
  if (absl::Status status = Part(field, "account", id.account()); !status.ok()) return status;
  return Part(field, "user", id.user());
}

absl::Status TurnId(std::string_view field, std::string_view value) {
  if (value.size() == kTurnIdBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(base::StrCat(field, " has ", value.size(), " bytes, must have ", kTurnIdBytes));
}

absl::Status Text(std::string_view field, std::string_view value) {
  if (value.size() <= kTextBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(base::StrCat(field, " has ", value.size(), " bytes, at most ", kTextBytesMax));
}

absl::Status Range(std::string_view field, std::int64_t value, std::int64_t max) {
  if (value >= 0 && value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(base::StrCat(field, " is ", value, ", must be between 0 and ", max));
}

absl::Status KnownOutcome(std::string_view field, mesh::session::v1::Outcome outcome) {
  if (mesh::session::v1::Outcome_IsValid(outcome)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      base::StrCat(field, " is ", static_cast<int>(outcome), ", which is not an outcome"));
}

template <typename... Checks>
absl::Status FirstError(Checks&&... checks) {
  absl::Status status;
  (void)((status = checks, status.ok()) && ...);
  return status;
}

}  // namespace

absl::Status Validate(const mesh::session::v1::LoadContextRequest& request) {
  return FirstError(Conversation("conversation", request.has_conversation(), request.conversation()),
                    TurnId("turn_id", request.turn_id()),
                    Range("history_tokens_max", request.history_tokens_max(), kTokensMax));
}

absl::Status Validate(const mesh::session::v1::AppendTurnRequest& request) {
  const mesh::session::v1::HistoryTurn& turn = request.turn();
  return FirstError(
      Conversation("conversation", request.has_conversation(), request.conversation()),
      TurnId("turn.turn_id", turn.turn_id()), Text("turn.user_text", turn.user_text()),
      Text("turn.reply_text", turn.reply_text()), Range("turn.user_tokens", turn.user_tokens(), kTokensMax),
      Range("turn.reply_tokens", turn.reply_tokens(), kTokensMax),
      Range("turn.accepted_at_ms", turn.accepted_at_ms(), kTimeMsMax),
      Range("turn.replies_offset", turn.replies_offset(), kRepliesOffsetMax),
      Range("turn.turns_offset", turn.turns_offset(), kTurnsOffsetMax), KnownOutcome("turn.outcome", turn.outcome()));
}

absl::Status Validate(const mesh::session::v1::SetOutcomeRequest& request) {
  if (request.outcome() == mesh::session::v1::OUTCOME_UNSPECIFIED && request.reply_text().empty()) {
    return absl::InvalidArgumentError("outcome and reply_text are both missing");
  }
  return FirstError(Conversation("conversation", request.has_conversation(), request.conversation()),
                    TurnId("turn_id", request.turn_id()), KnownOutcome("outcome", request.outcome()),
                    Text("reply_text", request.reply_text()), Range("reply_tokens", request.reply_tokens(), kTokensMax),
                    Range("replies_offset", request.replies_offset(), kRepliesOffsetMax));
}

absl::Status Validate(const mesh::session::v1::IsDoneRequest& request) {
  if (request.turn_ids_size() > kTurnIdsMax) {
    return absl::InvalidArgumentError(
        base::StrCat("turn_ids has ", request.turn_ids_size(), " ids, at most ", kTurnIdsMax));
  }
  for (const std::string& turn_id : request.turn_ids()) {
    if (absl::Status status = TurnId("turn_ids", turn_id); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Validate(const mesh::session::v1::ForgetRequest& request) {
  return FirstError(Conversation("conversation", request.has_conversation(), request.conversation()),
                    Range("turns_offset", request.turns_offset(), kTurnsOffsetMax));
}

absl::Status Validate(const mesh::session::v1::GetSessionRequest& request) {
  return FirstError(Conversation("conversation", request.has_conversation(), request.conversation()),
                    Range("turns_max", request.turns_max(), kTurnsReturnedMax));
}

absl::Status Validate(const mesh::session::v1::LinkIdentityRequest& request) {
  const ConversationId& from = request.old_conversation();
  const ConversationId& to = request.new_conversation();
  absl::Status status = FirstError(Conversation("old_conversation", request.has_old_conversation(), from),
                                   Conversation("new_conversation", request.has_new_conversation(), to),
                                   Range("changed_at_ms", request.changed_at_ms(), kTimeMsMax));
  if (!status.ok()) return status;
  // A user keeps its history under a new id; it never takes it to another tenant, channel or account.
  if (from.tenant() != to.tenant() || from.channel() != to.channel() || from.account() != to.account()) {
    return absl::InvalidArgumentError("old_conversation and new_conversation differ in more than the user");
  }
  if (from.user() == to.user()) return absl::InvalidArgumentError("old_conversation and new_conversation are the same");
  return absl::OkStatus();
}

absl::Status Validate(const mesh::session::v1::SetControlRequest& request) {
  if (request.action() == mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED ||
      !mesh::bus::v1::ControlAction_IsValid(request.action())) {
    return absl::InvalidArgumentError(
        base::StrCat("action is ", static_cast<int>(request.action()), ", which is not a control action"));
  }
  return FirstError(Conversation("conversation", request.has_conversation(), request.conversation()),
                    request.turn_id().empty() ? absl::OkStatus() : TurnId("turn_id", request.turn_id()),
                    Range("turns_offset", request.turns_offset(), kTurnsOffsetMax));
}

absl::Status Validate(const mesh::session::v1::UnsendRequest& request) {
  return FirstError(Conversation("conversation", request.has_conversation(), request.conversation()),
                    TurnId("turn_id", request.turn_id()));
}

}  // namespace session
