#include "libs/channel/whatsapp/message_content.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "libs/channel/internal/event_list.h"
#include "libs/channel/internal/field.h"
#include "libs/channel/internal/readable.h"
#include "libs/crypto/base64.h"
#include "libs/crypto/digest.h"

namespace channel::whatsapp {
namespace {

using mesh::bus::v1::Attachment;

std::string LongText(const json::Value& value) { return TextOf(value, kOriginalBytesMax); }

Attachment& AddAttachment(std::string_view type, Event& event) {
  Attachment& attachment = event.attachments.emplace_back();
  attachment.set_type(std::string(type));
  return attachment;
}

void DecodeText(const json::Value& content, std::string_view, Event& event) {
  event.text = LongText(content.Find("body"));
  if (!event.text.empty()) event.kind = EventKind::kMessage;
}

void DecodeMedia(const json::Value& content, std::string_view type, Event& event) {
  if (!content.is_object()) return;
  event.kind = EventKind::kMessage;
  event.text = LongText(content.Find("caption"));
  if (event.text.empty()) event.text = LongText(content.Find("filename"));
  Attachment& attachment = AddAttachment(type, event);
  attachment.set_id(IdOf(content.Find("id")));
  attachment.set_url(TextOf(content.Find("url"), kUrlBytesMax));
  attachment.set_mime_type(TextOf(content.Find("mime_type"), kTypeBytesMax));
  const std::optional<std::string> sha256 = crypto::Base64Decode(TextOf(content.Find("sha256"), kTypeBytesMax));
  if (sha256 && sha256->size() == crypto::Sha256Digest{}.size()) attachment.set_sha256(*sha256);
}

void DecodeLocation(const json::Value& content, std::string_view type, Event& event) {
  if (!content.is_object()) return;
  event.kind = EventKind::kMessage;
  event.text =
      LocationText(content.Find("name"), content.Find("address"), content.Find("latitude"), content.Find("longitude"));
  AddAttachment(type, event).set_url(TextOf(content.Find("url"), kUrlBytesMax));
}

void DecodeContacts(const json::Value& content, std::string_view type, Event& event) {
  if (!content.is_array()) return;
  // A card that somebody was asked for comes without its sender: nobody to answer, but worth keeping.
  event.kind = event.user.empty() ? EventKind::kEvent : EventKind::kMessage;
  event.text = ContactsText(content);
  AddAttachment(type, event);
}

void DecodeInteractive(const json::Value& content, std::string_view, Event& event) {
  const std::string reply_type = TextOf(content.Find("type"), kTypeBytesMax);
  const json::Value reply = content.Find(reply_type);
  if (reply_type == "button_reply" || reply_type == "list_reply") {
    event.text = LongText(reply.Find("title"));
    if (event.text.empty()) event.text = IdOf(reply.Find("id"));
    event.kind = EventKind::kPostback;
  } else if (reply_type == "nfm_reply") {  // a filled form
    event.text = FormText(LongText(reply.Find("response_json")));
    if (event.text.empty()) event.text = LongText(reply.Find("body"));
    if (event.text.empty()) event.text = LongText(reply.Find("name"));
    event.own_words.emplace();  // the form's labels and the platform's words stand around what the user wrote
    event.kind = EventKind::kMessage;
  }
}

void DecodeButton(const json::Value& content, std::string_view, Event& event) {
  if (!content.is_object()) return;
  event.kind = EventKind::kPostback;
  event.text = LongText(content.Find("text"));
  if (event.text.empty()) event.text = LongText(content.Find("payload"));
}

void DecodeOrder(const json::Value& content, std::string_view type, Event& event) {
  if (!content.is_object()) return;
  event.kind = EventKind::kMessage;
  event.text = OrderText(content);
  AddAttachment(type, event).set_id(IdOf(content.Find("catalog_id")));
}

void DecodeReaction(const json::Value& content, std::string_view, Event& event) {
  event.text = TextOf(content.Find("emoji"), kTypeBytesMax);  // none: the reaction was taken back
  event.reply_to_message_id = IdOf(content.Find("message_id"));
}

void DecodeEditOrRevoke(const json::Value& content, std::string_view type, Event& event) {
  event.reply_to_message_id = IdOf(content.Find("original_message_id"));
  if (event.reply_to_message_id.empty()) event.reply_to_message_id = IdOf(content.Find("message_id"));
  if (type == "revoke") {
    event.unsent_message_id = event.reply_to_message_id;
  } else {
    event.text = LongText(content.Find("message").Find("text").Find("body"));
  }
}

// The user opened the chat for the first time.
void DecodeNothing(const json::Value&, std::string_view, Event&) {}

// The user's id or number changed. The event stands on the old key, where the conversation is.
void DecodeSystem(const json::Value& content, std::string_view, Event& event) {
  if (event.user.empty()) event.user = IdOf(content.Find("previous_user_id"));
}

struct ContentDecoder {
  std::string_view type;
  void (*decode)(const json::Value& content, std::string_view type, Event& event);
  bool is_said = true;  // a message of its own, also where it cannot be read
};

// Of `interactive` what is no input answers a question that somebody else than this bot asked: a call, a payment.
constexpr ContentDecoder kDecoders[] = {
    {"text", DecodeText},
    {"image", DecodeMedia},
    {"video", DecodeMedia},
    {"audio", DecodeMedia},
    {"voice", DecodeMedia},
    {"sticker", DecodeMedia},
    {"document", DecodeMedia},
    {"location", DecodeLocation},
    {"contacts", DecodeContacts},
    {"order", DecodeOrder},
    {"interactive", DecodeInteractive, /*is_said=*/false},
    {"button", DecodeButton},
    {"reaction", DecodeReaction, /*is_said=*/false},
    {"edit", DecodeEditOrRevoke, /*is_said=*/false},
    {"revoke", DecodeEditOrRevoke, /*is_said=*/false},
    {"system", DecodeSystem, /*is_said=*/false},
    {"request_welcome", DecodeNothing, /*is_said=*/false},
};

// What the platform does not pass on and is done to an earlier message, or to the chat: nobody waits for an answer.
constexpr std::string_view kUnsupportedDeeds[] = {"edit", "revoke", "reaction", "pin", "keep_in_chat", "poll_update"};

}  // namespace

void DecodeContent(const json::Value& message, std::string_view type, Event& event) {
  event.kind = EventKind::kEvent;
  const auto decoder = std::ranges::find(kDecoders, type, &ContentDecoder::type);
  if (decoder != std::end(kDecoders)) {
    decoder->decode(message.Find(type), type, event);
    if (!decoder->is_said) return;
  } else if (type == "unsupported") {
    const std::string what = TextOf(message.Find(type).Find("type"), kTypeBytesMax);
    if (std::ranges::find(kUnsupportedDeeds, what) != std::end(kUnsupportedDeeds)) return;
  }
  if (event.kind == EventKind::kEvent && event.text.empty()) event.kind = EventKind::kUnreadable;
}

}  // namespace channel::whatsapp
