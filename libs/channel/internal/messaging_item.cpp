#include "libs/channel/internal/messaging_item.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "libs/channel/internal/field.h"
#include "libs/channel/internal/readable.h"

namespace channel {
namespace {

using mesh::bus::v1::Attachment;

constexpr std::string_view kPassThread = "pass_thread_control";
constexpr std::string_view kTakeThread = "take_thread_control";

// Keys of an item that say who and when; the one besides them says what.
bool IsEnvelopeKey(std::string_view key) {
  return key == "sender" || key == "recipient" || key == "timestamp" || key == "priority";
}

// The channel's word for the item: the first key of known meaning, else the first that is no part of the envelope.
std::string ItemType(const json::Value& item) {
  static constexpr std::string_view kKnown[] = {"message",  "postback",     "read",     "delivery",
                                                "reaction", "message_edit", "optin",    "account_linking",
                                                "referral", kPassThread,    kTakeThread};
  for (const std::string_view key : kKnown) {
    if (item.Find(key).exists()) return std::string(key);
  }
  for (const auto& [key, unused] : item.fields()) {
    if (!IsEnvelopeKey(key)) return CutUtf8(key, kTypeBytesMax);
  }
  return "unknown";
}

Event MakeEvent(const json::Value& item, const MessagingEntry& entry, bool from_account) {
  const std::string sender = IdOf(item.Find("sender").Find("id"));
  const std::string recipient = IdOf(item.Find("recipient").Find("id"));
  Event event;
  event.channel = entry.channel;
  // The entry's id wins: with several login types the recipient may be named by another id of the same account.
  event.account = !entry.id.empty() ? entry.id : from_account ? sender : recipient;
  event.user = from_account ? recipient : sender;
  event.timestamp_ms = TimestampMsOf(item.Find("timestamp"));
  if (event.timestamp_ms == 0) event.timestamp_ms = entry.timestamp_ms;
  return event;
}

void AddItem(Event event, const MessagingEntry& entry, EventList& events) {
  if (entry.is_standby) event.kind = EventKind::kStandby;
  RequireParties(event);
  events.Add(std::move(event));
}

std::string AttachmentId(const json::Value& payload) {
  for (const std::string_view key : {"sticker_id", "reel_video_id", "ig_post_media_id", "attachment_id"}) {
    if (std::string id = IdOf(payload.Find(key)); !id.empty()) return id;
  }
  return {};
}

// The words that come with an attachment: a title, or that of the first product of a template.
std::string AttachmentTitle(const json::Value& attachment) {
  const json::Value payload = attachment.Find("payload");
  for (const json::Value& title : {attachment.Find("title"), payload.Find("title")}) {
    if (std::string text = TextOf(title, kOriginalBytesMax); !text.empty()) return text;
  }
  for (const json::Value& elements : {payload.Find("product").Find("elements"), payload.Find("elements")}) {
    for (const json::Value& element : elements.items()) return TextOf(element.Find("title"), kOriginalBytesMax);
  }
  return {};
}

std::string AttachmentText(std::string_view type, const json::Value& attachment) {
  if (type != "location") return AttachmentTitle(attachment);
  const json::Value coordinates = attachment.Find("payload").Find("coordinates");
  return LocationText(attachment.Find("title"), json::Value(), coordinates.Find("lat"), coordinates.Find("long"));
}

// Whose content is a file, a link or words. What else comes, ephemeral photos and types not seen before among it,
// nobody here can read.
bool IsReadable(std::string_view attachment_type) {
  static constexpr std::string_view kKnown[] = {"image",    "audio",    "video",      "file",         "sticker",
                                                "location", "template", "fallback",   "share",        "reel",
                                                "ig_reel",  "ig_post",  "like_heart", "story_mention"};
  return std::ranges::find(kKnown, attachment_type) != std::end(kKnown);
}

// Fills attachments, and the text when the user wrote none. Returns false when nothing in them can be used.
bool DecodeAttachments(const json::Value& attachments, Event& event) {
  bool usable = false;
  for (const json::Value& value : attachments.items()) {
    if (!value.is_object() || event.attachments.size() >= kAttachmentsMax) continue;
    const json::Value payload = value.Find("payload");
    Attachment attachment;
    attachment.set_type(TextOf(value.Find("type"), kTypeBytesMax));
    attachment.set_id(AttachmentId(payload));
    std::string url = TextOf(payload.Find("url"), kUrlBytesMax);
    attachment.set_url(!url.empty() ? std::move(url) : TextOf(value.Find("url"), kUrlBytesMax));
    usable |= IsReadable(attachment.type());
    if (event.text.empty()) event.text = AttachmentText(attachment.type(), value);
    event.attachments.push_back(std::move(attachment));
  }
  return usable;
}

std::string MessageType(const json::Value& message, const Event& event) {
  if (FlagOf(message.Find("is_deleted"))) return "is_deleted";
  if (FlagOf(message.Find("is_unsupported"))) return "is_unsupported";
  if (message.Find("quick_reply").is_object()) return "quick_reply";
  if (!event.attachments.empty() && !event.attachments.front().type().empty()) return event.attachments.front().type();
  if (!event.text.empty()) return "text";
  return message.Find("referral").exists() ? "referral" : "unknown";
}

void DecodeMessage(const json::Value& item, const json::Value& message, const MessagingEntry& entry,
                   EventList& events) {
  const bool is_echo = FlagOf(message.Find("is_echo")) || FlagOf(message.Find("is_self"));
  const bool is_deleted = FlagOf(message.Find("is_deleted"));
  const bool has_referral = message.Find("referral").exists();
  Event event = MakeEvent(item, entry, is_echo);
  const std::string mid = IdOf(message.Find("mid"));
  // An unsend names the message that is gone: under its id the event would look like that message told again.
  event.message_id = mid.empty() || is_deleted ? DerivedId(item) : mid;
  event.text = TextOf(message.Find("text"), kOriginalBytesMax);
  const bool has_readable = DecodeAttachments(message.Find("attachments"), event);
  event.type = MessageType(message, event);
  event.reply_to_message_id = is_deleted ? mid : IdOf(message.Find("reply_to").Find("mid"));
  if (is_deleted && !is_echo) event.unsent_message_id = mid;

  if (is_echo) {
    event.kind = EventKind::kEcho;
    event.state = mesh::bus::v1::DELIVERY_STATE_ECHO;
    if (std::string metadata = IdOf(message.Find("metadata")); IsReplyIdHex(metadata)) {
      event.reply_id_hex = std::move(metadata);
    }
  } else if (is_deleted) {
    event.kind = EventKind::kEvent;
  } else if (FlagOf(message.Find("is_unsupported"))) {
    event.kind = EventKind::kUnreadable;
  } else if (!event.text.empty() || has_readable) {
    event.kind = EventKind::kMessage;
  } else {  // without content: the user came by a link, or said what we do not know
    event.kind = has_referral && event.attachments.empty() ? EventKind::kEvent : EventKind::kUnreadable;
  }
  if (!is_echo && (event.type != "text" || has_referral || message.Find("reply_to").Find("story").exists())) {
    KeepOriginal(item, event);
  }
  AddItem(std::move(event), entry, events);
}

void DecodePostback(const json::Value& item, const json::Value& postback, const MessagingEntry& entry,
                    EventList& events) {
  Event event = MakeEvent(item, entry, /*from_account=*/false);
  event.kind = EventKind::kPostback;
  event.type = "postback";
  event.message_id = IdOf(postback.Find("mid"));
  if (event.message_id.empty()) event.message_id = DerivedId(item);
  event.text = TextOf(postback.Find("title"), kOriginalBytesMax);
  if (event.text.empty()) event.text = TextOf(postback.Find("payload"), kOriginalBytesMax);
  KeepOriginal(item, event);
  AddItem(std::move(event), entry, events);
}

// `read` and `delivery`: about one message (Instagram's read.mid), several (delivery.mids), or all up to a watermark.
void DecodeReceipt(const json::Value& item, const json::Value& receipt, mesh::bus::v1::DeliveryState state,
                   const MessagingEntry& entry, EventList& events) {
  Event event = MakeEvent(item, entry, /*from_account=*/false);
  event.kind = EventKind::kStatus;
  event.type = state == mesh::bus::v1::DELIVERY_STATE_READ ? "read" : "delivery";
  event.state = state;
  event.watermark_ms = TimestampMsOf(receipt.Find("watermark"));
  event.message_id = IdOf(receipt.Find("mid"));
  bool named = false;
  for (const json::Value& mid : receipt.Find("mids").items()) {
    Event one = event;
    one.message_id = IdOf(mid);
    if (one.message_id.empty()) continue;
    named = true;
    AddItem(std::move(one), entry, events);
  }
  if (!named) AddItem(std::move(event), entry, events);
}

// The thread changed hands. Who got it the event names by an app id, sometimes; else its place tells: a thread is
// passed to the app that hears of it, unless that stands by, and taken from the app that hears of it.
void ReadThreadControl(const json::Value& content, const MessagingEntry& entry, Event& event) {
  const bool is_ours = event.type == kPassThread && !entry.is_standby;
  event.control = is_ours ? mesh::bus::v1::CONTROL_ACTION_RESUME : mesh::bus::v1::CONTROL_ACTION_PAUSE;
  event.thread_owner_app_id = IdOf(content.Find("new_owner_app_id"));
}

// Everything that is kept and never answered. A `mid` inside names the message that it is about.
void DecodeOther(const json::Value& item, std::string type, const MessagingEntry& entry, EventList& events) {
  const json::Value content = item.Find(type);
  Event event = MakeEvent(item, entry, /*from_account=*/false);
  event.kind = EventKind::kEvent;
  event.message_id = DerivedId(item);
  event.reply_to_message_id = IdOf(content.Find("mid"));
  if (type == "reaction") event.text = TextOf(content.Find("emoji"), kTypeBytesMax);
  if (type == "message_edit") event.text = TextOf(content.Find("text"), kOriginalBytesMax);
  event.type = std::move(type);
  if ((event.type == kPassThread || event.type == kTakeThread) && content.is_object()) {
    ReadThreadControl(content, entry, event);
  }
  KeepOriginal(item, event);
  AddItem(std::move(event), entry, events);
}

}  // namespace

void DecodeMessagingItem(const json::Value& item, const MessagingEntry& entry, EventList& events) {
  std::string type = ItemType(item);
  const json::Value content = item.Find(type);
  if (type == "message" && content.is_object()) return DecodeMessage(item, content, entry, events);
  if (type == "postback" && content.is_object()) return DecodePostback(item, content, entry, events);
  if (type == "read" && content.is_object()) {
    return DecodeReceipt(item, content, mesh::bus::v1::DELIVERY_STATE_READ, entry, events);
  }
  if (type == "delivery" && content.is_object()) {
    return DecodeReceipt(item, content, mesh::bus::v1::DELIVERY_STATE_DELIVERED, entry, events);
  }
  DecodeOther(item, std::move(type), entry, events);
}

}  // namespace channel
