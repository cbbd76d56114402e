#include "loadtest/fake_channel_api/feedback_body.h"

#include <string_view>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/json/writer.h"

namespace fake_channel_api {
namespace {

void WriteParty(std::string_view key, std::string_view id, json::Writer& json) {
  json.Key(key);
  json.BeginObject();
  json.Field("id", id);
  json.EndObject();
}

bool HasNumber(std::string_view user) { return user.find_first_not_of("+0123456789") == std::string_view::npos; }

// Who the user is, as of April 2026: each has a business-scoped id, and some have no number.
void WriteContacts(std::string_view user, json::Writer& json) {
  json.Key("contacts");
  json.BeginArray();
  json.BeginObject();
  if (HasNumber(user)) json.Field("wa_id", user);
  json.Field("user_id", HasNumber(user) ? base::StrCat("US.", user) : std::string(user));
  json.EndObject();
  json.EndArray();
}

std::string WhatsAppStatus(const Send& send, std::string_view status) {
  json::Writer json;
  json.BeginObject();
  json.Field("object", "whatsapp_business_account");
  json.Key("entry");
  json.BeginArray();
  json.BeginObject();
  json.Field("id", "0");
  json.Key("changes");
  json.BeginArray();
  json.BeginObject();
  json.Field("field", "messages");
  json.Key("value");
  json.BeginObject();
  json.Field("messaging_product", "whatsapp");
  json.Key("metadata");
  json.BeginObject();
  json.Field("display_phone_number", send.account);
  json.Field("phone_number_id", send.account);
  json.EndObject();
  WriteContacts(send.user, json);
  json.Key("statuses");
  json.BeginArray();
  json.BeginObject();
  json.Field("id", send.message_id);
  json.Field("status", status);
  json.Field("timestamp", std::to_string(send.ts_ms / 1000));
  json.Field(HasNumber(send.user) ? "recipient_id" : "recipient_user_id", send.user);
  if (!send.reply_id.empty()) json.Field("biz_opaque_callback_data", send.reply_id);
  json.EndObject();
  json.EndArray();
  json.EndObject();
  json.EndObject();
  json.EndArray();
  json.EndObject();
  json.EndArray();
  json.EndObject();
  return std::move(json).Take();
}

// Opens {"object","entry":[{"id","time","messaging":[{"sender","recipient","timestamp" and leaves it open.
void BeginItem(const Send& send, std::string_view sender, std::string_view recipient, json::Writer& json) {
  json.BeginObject();
  json.Field("object", send.channel == mesh::bus::v1::CHANNEL_INSTAGRAM ? "instagram" : "page");
  json.Key("entry");
  json.BeginArray();
  json.BeginObject();
  json.Field("id", send.account);
  json.Field("time", send.ts_ms);
  json.Key("messaging");
  json.BeginArray();
  json.BeginObject();
  WriteParty("sender", sender, json);
  WriteParty("recipient", recipient, json);
  json.Field("timestamp", send.ts_ms);
}

std::string EndItem(json::Writer json) {
  json.EndObject();
  json.EndArray();
  json.EndObject();
  json.EndArray();
  json.EndObject();
  return std::move(json).Take();
}

std::string Echo(const Send& send) {
  json::Writer json;
  BeginItem(send, send.account, send.user, json);
  json.Key("message");
  json.BeginObject();
  json.Field("mid", send.message_id);
  if (!send.text.empty()) json.Field("text", send.text);
  if (send.kind == "attachment") {
    json.Key("attachments");
    json.BeginArray();
    json.Raw(send.content);
    json.EndArray();
  }
  json.Field("is_echo", true);
  if (send.channel == mesh::bus::v1::CHANNEL_MESSENGER) {
    json.Field("app_id", std::int64_t{1517776481860111});
    if (!send.reply_id.empty()) json.Field("metadata", send.reply_id);
  }
  json.EndObject();
  return EndItem(std::move(json));
}

std::string Receipt(const Send& send) {
  json::Writer json;
  BeginItem(send, send.user, send.account, json);
  if (send.channel == mesh::bus::v1::CHANNEL_INSTAGRAM) {
    json.Key("read");
    json.BeginObject();
    json.Field("mid", send.message_id);
  } else {
    json.Key("delivery");
    json.BeginObject();
    json.Key("mids");
    json.BeginArray();
    json.String(send.message_id);
    json.EndArray();
    json.Field("watermark", send.ts_ms);
  }
  json.EndObject();
  return EndItem(std::move(json));
}

}  // namespace

std::vector<std::string> FeedbackBodies(const Send& send) {
  if (send.channel == mesh::bus::v1::CHANNEL_WHATSAPP) {
    return {WhatsAppStatus(send, "sent"), WhatsAppStatus(send, "delivered")};
  }
  return {Echo(send), Receipt(send)};
}

}  // namespace fake_channel_api
