#include "libs/channel/internal/sender_action.h"

#include <utility>

#include "libs/channel/internal/send_request.h"
#include "libs/json/writer.h"

namespace channel {
namespace {

OutboundRequest MakeSenderAction(const account::Account& account, std::string_view user, std::string_view action) {
  json::Writer json;
  json.BeginObject();
  json.Key("recipient");
  json.BeginObject();
  json.Field("id", user);
  json.EndObject();
  json.Field("sender_action", action);
  json.EndObject();
  return MakeSendRequest(account, std::move(json).Take());
}

}  // namespace

std::vector<OutboundRequest> MakeSenderActions(const account::Account& account, std::string_view user,
                                               PresenceKind kind) {
  std::vector<OutboundRequest> requests;
  if (kind != PresenceKind::kTyping) requests.push_back(MakeSenderAction(account, user, "mark_seen"));
  if (kind != PresenceKind::kRead) requests.push_back(MakeSenderAction(account, user, "typing_on"));
  return requests;
}

}  // namespace channel
