#include "loadtest/fake_channel_api/accepted_answer.h"

#include <utility>

#include "libs/json/writer.h"

namespace fake_channel_api {

std::string AcceptedAnswer(const Send& send) {
  json::Writer json;
  json.BeginObject();
  if (send.channel == mesh::bus::v1::CHANNEL_WHATSAPP) {
    json.Field("messaging_product", "whatsapp");
    json.Key("contacts");
    json.BeginArray();
    json.BeginObject();
    json.Field("input", send.user);
    json.Field("wa_id", send.user);
    json.EndObject();
    json.EndArray();
    json.Key("messages");
    json.BeginArray();
    json.BeginObject();
    json.Field("id", send.message_id);
    json.Field("message_status", "accepted");
    json.EndObject();
    json.EndArray();
  } else {
    json.Field("recipient_id", send.user);
    json.Field("message_id", send.message_id);
  }
  json.EndObject();
  return std::move(json).Take();
}

std::string ActionAnswer(mesh::bus::v1::Channel channel, std::string_view user) {
  json::Writer json;
  json.BeginObject();
  if (channel == mesh::bus::v1::CHANNEL_WHATSAPP) {
    json.Field("success", true);
  } else {
    json.Field("recipient_id", user);
  }
  json.EndObject();
  return std::move(json).Take();
}

GraphError RateLimited(mesh::bus::v1::Channel channel) {
  if (channel == mesh::bus::v1::CHANNEL_WHATSAPP) {
    return {.http_status = 429,
            .code = 130429,
            .message = "(#130429) Rate limit hit",
            .details =
                "Message failed to send because there were too many messages sent from this phone number in a short "
                "period of time"};
  }
  return {.http_status = 429, .code = 613, .message = "(#613) Calls to this api have exceeded the rate limit."};
}

}  // namespace fake_channel_api
