#include "loadtest/fake_channel_api/action.h"

#include <utility>

#include "libs/identity/identity.h"
#include "libs/json/writer.h"

namespace fake_channel_api {

std::string ToJsonLine(const Action& action) {
  json::Writer json;
  json.BeginObject();
  json.Field("ts_ms", action.ts_ms);
  json.Field("channel", identity::ChannelName(action.channel));
  json.Field("account", action.account);
  json.Field("user", action.user);
  json.Field("message_id", action.message_id);
  json.Field("action", action.action);
  json.EndObject();
  return std::move(json).Take();
}

}  // namespace fake_channel_api
