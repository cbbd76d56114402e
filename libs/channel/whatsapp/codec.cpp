#include "libs/channel/whatsapp/codec.h"

#include <algorithm>

#include "libs/channel/internal/body.h"
#include "libs/channel/internal/field.h"
#include "libs/channel/internal/markup.h"
#include "libs/channel/internal/send_answer.h"
#include "libs/channel/internal/send_request.h"
#include "libs/channel/internal/split_text.h"
#include "libs/channel/whatsapp/change.h"
#include "libs/json/writer.h"

namespace channel::whatsapp {
namespace {

constexpr mesh::bus::v1::Channel kChannel = mesh::bus::v1::CHANNEL_WHATSAPP;

void DecodeEntry(const json::Value& entry, EventList& events) {
  const std::string waba = IdOf(entry.Find("id"));
  const std::int64_t timestamp_ms = TimestampMsOf(entry.Find("time"));
  const json::Value changes = entry.Find("changes");
  if (!changes.is_array()) {
    events.Add(MakeError(kChannel, waba, timestamp_ms, "changes_not_a_list"));
    return;
  }
  for (const json::Value& change : changes.items()) {
    if (change.is_object()) {
      DecodeChange(change, waba, timestamp_ms, events);
    } else {
      events.Add(MakeError(kChannel, waba, timestamp_ms, "change_not_an_object"));
    }
  }
}

// Not an id of Meta's, but made here for a message that came without one.
bool IsDerived(std::string_view message_id) { return message_id.starts_with("derived:"); }

// A user is named by a phone number or by a business-scoped id, which is opaque but never a number (channels.md 2.1).
bool IsPhoneNumber(std::string_view user) {
  if (user.starts_with('+')) user.remove_prefix(1);
  return !user.empty() && std::ranges::all_of(user, [](char c) { return c >= '0' && c <= '9'; });
}

class WhatsAppCodec final : public Codec {
 public:
  mesh::bus::v1::Channel channel() const override { return kChannel; }

  absl::StatusOr<std::vector<Event>> Decode(std::string_view body) const override {
    return DecodeBody(body, "whatsapp_business_account", kChannel, DecodeEntry);
  }

  OutboundRequest EncodeText(const account::Account& account, std::string_view user, std::string_view text,
                             std::string_view in_reply_to_message_id, std::string_view reply_id_hex) const override {
    json::Writer json;
    json.BeginObject();
    json.Field("messaging_product", "whatsapp");
    json.Field("recipient_type", "individual");
    // Both at once would make Meta ignore `recipient`.
    json.Field(IsPhoneNumber(user) ? "to" : "recipient", user);
    json.Field("type", "text");
    json.Key("text");
    json.BeginObject();
    json.Field("body", text);
    json.EndObject();
    if (!in_reply_to_message_id.empty() && !IsDerived(in_reply_to_message_id)) {
      json.Key("context");
      json.BeginObject();
      json.Field("message_id", in_reply_to_message_id);
      json.EndObject();
    }
    if (!reply_id_hex.empty()) json.Field("biz_opaque_callback_data", reply_id_hex);
    json.EndObject();
    return MakeSendRequest(account, std::move(json).Take());
  }

  SendAnswer DecodeAnswer(int http_status, std::string_view body) const override {
    return DecodeSendAnswer(http_status, body, [](const json::Value& root) {
      for (const json::Value& message : root.Find("messages").items()) return IdOf(message.Find("id"));
      return std::string();
    });
  }

  // Typing marks the message as read too.
  std::vector<OutboundRequest> EncodePresence(const account::Account& account, std::string_view /*user*/,
                                              std::string_view message_id, PresenceKind kind) const override {
    if (message_id.empty() || IsDerived(message_id)) return {};
    json::Writer json;
    json.BeginObject();
    json.Field("messaging_product", "whatsapp");
    json.Field("status", "read");
    json.Field("message_id", message_id);
    if (kind != PresenceKind::kRead) {
      json.Key("typing_indicator");
      json.BeginObject();
      json.Field("type", "text");
      json.EndObject();
    }
    json.EndObject();
    return {MakeSendRequest(account, std::move(json).Take())};
  }

  std::vector<std::string> Split(std::string_view text) const override {
    return SplitText(FormatMarkdown(text, Markup::kWhatsApp), kWhatsAppTextLimit);
  }
};

}  // namespace

const Codec& GetCodec() {
  static const WhatsAppCodec codec;
  return codec;
}

}  // namespace channel::whatsapp
