#include "libs/channel/whatsapp/codec.h"

#include "libs/channel/internal/body.h"
#include "libs/channel/internal/field.h"
#include "libs/channel/internal/markup.h"
#include "libs/channel/internal/send_answer.h"
#include "libs/channel/internal/send_request.h"
#include "libs/channel/internal/split_text.h"
#include "libs/channel/whatsapp/change.h"
#include "libs/channel/whatsapp/part.h"
#include "libs/channel/whatsapp/split_blocks.h"
#include "libs/json/writer.h"

namespace channel::whatsapp {
namespace {

using mesh::bus::v1::OutboundPart;

constexpr mesh::bus::v1::Channel kChannel = mesh::bus::v1::CHANNEL_WHATSAPP;

void DecodeEntry(const json::Value& entry, EventList& events) {
  const std::string waba = IdOf(entry.Find("id"));
  const std::int64_t timestamp_ms = TimestampMsOf(entry.Find("time"));
  const json::Value changes = entry.Find("changes");
  if (!changes.is_array()) {
    events.Add(MakeError(kChannel, waba, timestamp_ms, Unusable::kChangesNotAList));
    return;
  }
  for (const json::Value& change : changes.items()) {
    if (change.is_object()) {
      DecodeChange(change, waba, timestamp_ms, events);
    } else {
      events.Add(MakeError(kChannel, waba, timestamp_ms, Unusable::kChangeNotAnObject));
    }
  }
}

class WhatsAppCodec final : public Codec {
 public:
  mesh::bus::v1::Channel channel() const override { return kChannel; }

  absl::StatusOr<std::vector<Event>> Decode(std::string_view body) const override {
    return DecodeBody(body, "whatsapp_business_account", kChannel, DecodeEntry);
  }

  OutboundRequest EncodePart(const account::Account& account, std::string_view user, const OutboundPart& part,
                             std::string_view in_reply_to_message_id, std::string_view reply_id_hex) const override {
    return MakeSendRequest(account, PartBody(user, part, in_reply_to_message_id, reply_id_hex));
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
    if (!IsPlatformId(message_id)) return {};
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

  std::vector<std::string> Split(std::string_view text, std::size_t parts_max) const override {
    return SplitKeepingBlocks(FormatMarkdown(text, Markup::kWhatsApp), kWhatsAppTextLimit, parts_max);
  }

  std::vector<OutboundPart> Fit(const OutboundPart& part) const override { return FitPart(part); }
};

}  // namespace

const Codec& GetCodec() {
  static const WhatsAppCodec codec;
  return codec;
}

}  // namespace channel::whatsapp
