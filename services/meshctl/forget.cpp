#include "services/meshctl/forget.h"

#include <string_view>

#include "libs/base/str_cat.h"
#include "libs/session/validate.h"
#include "services/meshctl/operator_record.h"
#include "services/meshctl/user_id.h"

namespace meshctl {
namespace {

absl::Status Saying(std::string_view how_far, const absl::Status& status) {
  return absl::Status(status.code(), base::StrCat(how_far, ": ", status.message()));
}

}  // namespace

absl::StatusOr<Forgotten> ForgetConversation(bus::Producer& producer, session::Client& client,
                                             const mesh::bus::v1::ConversationId& conversation,
                                             const bus::BusOptions& options, std::int64_t now_ms) {
  mesh::session::v1::GetSessionRequest stored;
  *stored.mutable_conversation() = conversation;
  stored.set_turns_max(session::kTurnsReturnedMax);
  const auto history = client.GetSession(stored, {});
  // Once it is forgotten nobody could name the turns any more. What is damaged stays so, and is to be forgotten too.
  const bool is_damaged = absl::IsDataLoss(history.status());
  if (!history.ok() && !is_damaged) return Saying("nothing is deleted yet", history.status());
  const mesh::session::v1::GetSessionResponse known = history.ok() ? *history : mesh::session::v1::GetSessionResponse();
  const absl::StatusOr<bus::RecordPosition> written =
      producer.ProduceAndWait(ForgetRecord(conversation, known, options, now_ms));
  if (!written.ok()) return Saying("nothing is deleted yet", written.status());
  mesh::session::v1::ForgetRequest request;
  *request.mutable_conversation() = conversation;
  request.set_turns_offset(written->offset);
  const auto forgotten = client.Forget(request, {});
  if (!forgotten.ok()) return Saying("noted in the log, but not deleted yet; run it again", forgotten.status());
  return Forgotten{.turns_count = forgotten->turns_deleted(),
                   .was_known = is_damaged || IsKnown(known),
                   .leaves_files_to_their_age = is_damaged};
}

}  // namespace meshctl
