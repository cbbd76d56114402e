#include "libs/channel/instagram/codec.h"

#include "libs/channel/internal/body.h"
#include "libs/channel/internal/field.h"
#include "libs/channel/internal/markup.h"
#include "libs/channel/internal/messaging_entry.h"
#include "libs/channel/internal/messaging_part.h"
#include "libs/channel/internal/send_answer.h"
#include "libs/channel/internal/send_request.h"
#include "libs/channel/internal/sender_action.h"
#include "libs/channel/internal/split_text.h"

namespace channel::instagram {
namespace {

using mesh::bus::v1::OutboundPart;

constexpr mesh::bus::v1::Channel kChannel = mesh::bus::v1::CHANNEL_INSTAGRAM;

class InstagramCodec final : public Codec {
 public:
  mesh::bus::v1::Channel channel() const override { return kChannel; }

  absl::StatusOr<std::vector<Event>> Decode(std::string_view body) const override {
    return DecodeBody(body, "instagram", kChannel, [](const json::Value& entry, EventList& events) {
      DecodeMessagingEntry(entry, kChannel, events);
    });
  }

  // No field carries the reply id: Instagram's echo is matched by user and text digest (design.md, "In doubt").
  OutboundRequest EncodePart(const account::Account& account, std::string_view user, const OutboundPart& part,
                             std::string_view /*in_reply_to_message_id*/,
                             std::string_view /*reply_id_hex*/) const override {
    return MakeSendRequest(account, MessagingBody(user, part, kChannel, /*metadata=*/""));
  }

  SendAnswer DecodeAnswer(int http_status, std::string_view body) const override {
    return DecodeSendAnswer(http_status, body, [](const json::Value& root) { return IdOf(root.Find("message_id")); });
  }

  std::vector<OutboundRequest> EncodePresence(const account::Account& account, std::string_view user,
                                              std::string_view /*message_id*/, PresenceKind kind) const override {
    return MakeSenderActions(account, user, kind);
  }

  std::vector<std::string> Split(std::string_view text, std::size_t parts_max) const override {
    return SplitText(FormatMarkdown(text, Markup::kPlain), kInstagramTextLimit, parts_max);
  }

  std::vector<OutboundPart> Fit(const OutboundPart& part) const override {
    return FitMessagingPart(part, kChannel, kInstagramTextLimit);
  }
};

}  // namespace

const Codec& GetCodec() {
  static const InstagramCodec codec;
  return codec;
}

}  // namespace channel::instagram
