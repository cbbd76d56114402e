#include "libs/channel/identity_change.h"

#include <string>

#include "libs/channel/internal/field.h"
#include "libs/json/value.h"

namespace channel {
namespace {

// The new id in the order in which a later message's sender is found: number, then user id (ResolveSender).
std::string NewUserOf(const json::Value& system) {
  const std::string type = TextOf(system.Find("type"), 64);
  if (type == "user_changed_number") {
    const std::string number = IdOf(system.Find("wa_id"));
    return number.empty() ? IdOf(system.Find("user_id")) : number;
  }
  return type == "user_changed_user_id" ? IdOf(system.Find("user_id")) : std::string();
}

}  // namespace

std::optional<IdentityChange> FindIdentityChange(const mesh::bus::v1::Turn& turn) {
  if (turn.kind() != mesh::bus::v1::TURN_KIND_IDENTITY_CHANGE) return std::nullopt;
  const absl::StatusOr<json::Document> document = json::Document::Parse(turn.original());
  if (!document.ok()) return std::nullopt;
  const json::Value item = document->root();
  std::string from;
  std::string to;
  if (turn.type() == "system") {
    from = turn.conversation().user();
    to = NewUserOf(item.Find("system"));
  } else if (turn.type() == "user_id_update") {
    from = IdOf(item.Find("user_id").Find("previous"));
    to = IdOf(item.Find("user_id").Find("current"));
  }
  if (from.empty() || to.empty() || from == to) return std::nullopt;
  IdentityChange change;
  change.old_conversation = turn.conversation();
  change.old_conversation.set_user(from);
  change.new_conversation = turn.conversation();
  change.new_conversation.set_user(to);
  change.changed_at_ms = turn.sent_at_ms() > 0 ? turn.sent_at_ms() : turn.accepted_at_ms();
  return change;
}

}  // namespace channel
