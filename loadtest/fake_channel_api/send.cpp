#include "loadtest/fake_channel_api/send.h"

#include "libs/identity/identity.h"
#include "libs/json/writer.h"

namespace fake_channel_api {

std::string ToJsonLine(const Send& send) {
  json::Writer json;
  json.BeginObject();
  json.Field("ts_ms", send.ts_ms);
  json.Field("channel", identity::ChannelName(send.channel));
  json.Field("account", send.account);
  json.Field("user", send.user);
  json.Field("message_id", send.message_id);
  json.Field("text", send.text);
  json.Field("reply_id", send.reply_id);
  json.Field("in_reply_to", send.in_reply_to);
  json.Field("traceparent", send.traceparent);
  if (!send.kind.empty()) {
    json.Field("kind", send.kind);
    json.Key("content");
    json.Raw(send.content);
  }
  if (send.lost) json.Field("lost", true);
  json.EndObject();
  return std::move(json).Take();
}

}  // namespace fake_channel_api
