#include "libs/channel/whatsapp/message.h"

#include <utility>

#include "libs/channel/internal/event_list.h"
#include "libs/channel/internal/field.h"
#include "libs/channel/internal/readable.h"
#include "libs/channel/whatsapp/message_content.h"

namespace channel::whatsapp {
namespace {

std::string FirstId(std::initializer_list<json::Value> values) {
  for (const json::Value& value : values) {
    if (std::string id = IdOf(value); !id.empty()) return id;
  }
  return {};
}

// Of several contacts none can be told to be the sender.
std::string SingleContact(const json::Value& contacts) {
  std::string user;
  std::size_t count = 0;
  for (const json::Value& contact : contacts.items()) {
    if (++count > 1) return {};
    user = FirstId({contact.Find("wa_id"), contact.Find("user_id")});
  }
  return user;
}

Event MakeEvent(const json::Value& message, const ValueContext& context) {
  Event event;
  event.channel = mesh::bus::v1::CHANNEL_WHATSAPP;
  event.account = context.account;
  event.message_id = IdOf(message.Find("id"));
  if (event.message_id.empty()) event.message_id = DerivedId(message);
  event.timestamp_ms = TimestampMsOf(message.Find("timestamp"));
  if (event.timestamp_ms == 0) event.timestamp_ms = context.timestamp_ms;
  event.type = TextOf(message.Find("type"), kTypeBytesMax);
  if (event.type.empty()) event.type = "unknown";
  event.reply_to_message_id = IdOf(message.Find("context").Find("id"));
  return event;
}

// Whether `context` tells more than who is answered: forwarded, referred_product, and what is not known yet.
bool HasMoreContext(const json::Value& message) {
  for (const auto& [key, unused] : message.Find("context").fields()) {
    if (key != "id" && !key.starts_with("from")) return true;
  }
  return message.Find("referral").exists();
}

}  // namespace

std::string ResolveSender(const json::Value& item, const json::Value& contacts) {
  std::string user = FirstId({item.Find("from"), item.Find("from_user_id"), item.Find("wa_id")});
  return !user.empty() ? user : SingleContact(contacts);
}

Event DecodeMessage(const json::Value& message, const ValueContext& context) {
  Event event = MakeEvent(message, context);
  // A changed user id is reported about the old one, which the contact list no longer has.
  event.user = event.type == "system" ? FirstId({message.Find("from"), message.Find("system").Find("previous_user_id")})
                                      : std::string();
  if (event.user.empty()) event.user = ResolveSender(message, context.contacts);
  DecodeContent(message, event.type, event);
  const json::Value product = message.Find("context").Find("referred_product");
  if (event.kind == EventKind::kMessage && product.exists()) {
    if (!event.own_words) event.own_words = event.text;
    event.text = WordsOnProduct(event.text, product);
  }
  // An answer would go to the person alone, in a thread of its own: groups are listened to, not answered.
  if (message.Find("group_id").exists() && event.kind != EventKind::kEvent) event.kind = EventKind::kEvent;
  const bool is_plain_text = event.kind == EventKind::kMessage && event.type == "text" && !HasMoreContext(message);
  if (!is_plain_text) KeepOriginal(message, event);
  RequireParties(event);
  return event;
}

Event DecodeEcho(const json::Value& message, const ValueContext& context) {
  Event event = MakeEvent(message, context);
  event.user = FirstId({message.Find("to"), message.Find("to_user_id")});
  if (event.user.empty()) event.user = SingleContact(context.contacts);
  DecodeContent(message, event.type, event);
  event.kind = EventKind::kEcho;
  event.unsent_message_id.clear();  // what the business took back is no user's message
  event.state = mesh::bus::v1::DELIVERY_STATE_ECHO;
  RequireParties(event);
  return event;
}

}  // namespace channel::whatsapp
