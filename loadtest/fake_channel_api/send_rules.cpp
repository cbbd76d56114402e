#include "loadtest/fake_channel_api/send_rules.h"

#include <algorithm>
#include <optional>
#include <string>

#include "libs/base/str_cat.h"
#include "libs/json/value.h"
#include "libs/unicode/utf8.h"
#include "loadtest/fake_channel_api/content_rules.h"

namespace fake_channel_api {
namespace {

using Checked = std::variant<Send, Action, GraphError>;

constexpr std::size_t kWhatsAppCharactersMax = 4096;
constexpr std::size_t kMessengerCharactersMax = 2000;
constexpr std::size_t kInstagramBytesMax = 1000;
constexpr std::size_t kCallbackDataMax = 512;
constexpr std::size_t kMetadataMax = 1000;

std::string String(const json::Value& value) { return std::string(value.AsString().value_or("")); }

bool IsPhoneNumber(std::string_view text) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  return text.size() >= 5 && text.size() <= 20 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

Checked CheckWhatsAppText(const json::Value& root, Send send) {
  const json::Value body = root.Find("text").Find("body");
  if (!body.AsString()) return InvalidParameter("The parameter text['body'] is required.");
  send.text = String(body);
  const std::size_t characters = unicode::CodePointCount(send.text);
  if (characters == 0 || characters > kWhatsAppCharactersMax) {
    return InvalidParameter(
        base::StrCat("Param text['body'] must be at most ", kWhatsAppCharactersMax, " characters long."),
        "Length of the text body is out of range");
  }
  return send;
}

// Of a message that came: Meta knows its id, here it only looks like one.
Checked CheckReadReceipt(const json::Value& root) {
  Action action{.channel = mesh::bus::v1::CHANNEL_WHATSAPP, .message_id = String(root.Find("message_id"))};
  if (action.message_id.empty()) return InvalidParameter("The parameter message_id is required.");
  if (!action.message_id.starts_with("wamid.")) return InvalidValue("message_id is not that of a message");
  const json::Value typing = root.Find("typing_indicator");
  if (typing.exists() && String(typing.Find("type")) != "text") {
    return InvalidParameter("Param typing_indicator['type'] must be one of {TEXT}.");
  }
  action.action = typing.exists() ? "typing" : "read";
  return action;
}

Checked CheckWhatsApp(const json::Value& root) {
  if (String(root.Find("messaging_product")) != "whatsapp") {
    return InvalidParameter("The parameter messaging_product is required.");
  }
  if (String(root.Find("status")) == "read") return CheckReadReceipt(root);
  Send send{.channel = mesh::bus::v1::CHANNEL_WHATSAPP};
  const std::string to = String(root.Find("to"));
  send.user = !to.empty() ? to : String(root.Find("recipient"));  // `to` wins when both are there
  if (send.user.empty()) return InvalidParameter("The parameter to is required.");
  if (!to.empty() && !IsPhoneNumber(to)) return InvalidValue("to is not a phone number");
  if (const json::Value recipient_type = root.Find("recipient_type");
      recipient_type.exists() && String(recipient_type) != "individual") {
    return InvalidParameter("Param recipient_type must be one of {individual}.");
  }
  const json::Value data = root.Find("biz_opaque_callback_data");
  if (data.exists() && (!data.AsString() || data.AsString()->size() > kCallbackDataMax)) {
    return InvalidParameter(
        base::StrCat("Param biz_opaque_callback_data must be at most ", kCallbackDataMax, " characters long."));
  }
  send.reply_id = String(data);
  const json::Value context = root.Find("context");
  if (context.exists() && String(context.Find("message_id")).empty()) {
    return InvalidParameter("The parameter context['message_id'] is required.");
  }
  send.in_reply_to = String(context.Find("message_id"));
  const std::string type = root.Find("type").exists() ? String(root.Find("type")) : "text";
  if (type == "text") return CheckWhatsAppText(root, std::move(send));
  static constexpr std::string_view kTypes[] = {"image",       "audio",    "video",    "document", "sticker",
                                                "interactive", "template", "reaction", "location", "contacts"};
  if (std::ranges::find(kTypes, type) == std::end(kTypes)) return InvalidParameter("Param type is not valid.");
  if (!root.Find(type).is_object() && !root.Find(type).is_array()) {
    return InvalidParameter(base::StrCat("The parameter ", type, " is required."));
  }
  if (const std::optional<GraphError> error = CheckWhatsAppContent(type, root.Find(type))) return *error;
  send.kind = type;
  send.content = root.Find(type).Raw();
  return send;
}

Checked CheckMessagingText(const json::Value& message, Send send) {
  const bool is_instagram = send.channel == mesh::bus::v1::CHANNEL_INSTAGRAM;
  send.text = String(message.Find("text"));
  const bool has_attachment = message.Find("attachment").is_object() || message.Find("attachments").is_array();
  if (send.text.empty() && !has_attachment)
    return InvalidParameter("You must provide exactly one of text or attachment in message.");
  if (is_instagram && send.text.size() > kInstagramBytesMax) {
    return InvalidParameter(
        base::StrCat("Length of param message[text] must be less than or equal to ", kInstagramBytesMax));
  }
  if (!is_instagram && unicode::CodePointCount(send.text) > kMessengerCharactersMax) {
    return InvalidParameter(
        base::StrCat("Length of param message[text] must be less than or equal to ", kMessengerCharactersMax));
  }
  const json::Value metadata = message.Find("metadata");
  if (metadata.exists() && (!metadata.AsString() || metadata.AsString()->size() >= kMetadataMax)) {
    return InvalidParameter(
        base::StrCat("Param message[metadata] must be a string of less than ", kMetadataMax, " characters."));
  }
  send.reply_id = String(metadata);
  if (const std::optional<GraphError> error = CheckMessagingContent(message, is_instagram)) return *error;
  for (const char* kind : {"attachment", "quick_replies"}) {
    if (!message.Find(kind).exists()) continue;
    send.kind = kind;
    send.content = message.Find(kind).Raw();
  }
  return send;
}

Checked CheckMessaging(const json::Value& root, mesh::bus::v1::Channel channel) {
  const std::string user = String(root.Find("recipient").Find("id"));
  if (user.empty()) return InvalidParameter("The parameter recipient is required.");
  if (root.Find("sender_action").exists()) {
    static constexpr std::string_view kActions[] = {"typing_on", "typing_off", "mark_seen", "react", "unreact"};
    const std::string action = String(root.Find("sender_action"));
    if (std::ranges::find(kActions, action) == std::end(kActions)) {
      return InvalidParameter("Param sender_action is not valid.");
    }
    if (root.Find("message").exists()) {
      return InvalidParameter("Param sender_action cannot be sent with a message.");
    }
    return Action{.channel = channel, .user = user, .action = action};
  }
  const json::Value messaging_type = root.Find("messaging_type");
  if (messaging_type.exists()) {
    static constexpr std::string_view kTypes[] = {"RESPONSE", "UPDATE", "MESSAGE_TAG"};
    if (std::ranges::find(kTypes, String(messaging_type)) == std::end(kTypes))
      return InvalidParameter("Param messaging_type must be one of {RESPONSE, UPDATE, MESSAGE_TAG}.");
    if (String(messaging_type) == "MESSAGE_TAG" && String(root.Find("tag")).empty())
      return InvalidParameter("The parameter tag is required.");
  }
  const json::Value message = root.Find("message");
  if (!message.is_object()) return InvalidParameter("The parameter message is required.");
  return CheckMessagingText(message, Send{.channel = channel, .user = user});
}

}  // namespace

Checked CheckBody(std::string_view body, mesh::bus::v1::Channel channel) {
  const absl::StatusOr<json::Document> document = json::Document::Parse(body);
  if (!document.ok() || !document->root().is_object())
    return InvalidParameter("The request body is not a JSON object.");
  if (channel == mesh::bus::v1::CHANNEL_WHATSAPP) return CheckWhatsApp(document->root());
  return CheckMessaging(document->root(), channel);
}

}  // namespace fake_channel_api
