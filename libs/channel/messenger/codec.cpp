#include "libs/channel/messenger/codec.h"

#include "libs/channel/internal/body.h"
#include "libs/channel/internal/field.h"
#include "libs/channel/internal/markup.h"
#include "libs/channel/internal/messaging_entry.h"
#include "libs/channel/internal/messaging_part.h"
#include "libs/channel/internal/send_answer.h"
#include "libs/channel/internal/send_request.h"
#include "libs/channel/internal/sender_action.h"
#include "libs/channel/internal/split_text.h"

namespace channel::messenger {
namespace {

using mesh::bus::v1::OutboundPart;

constexpr mesh::bus::v1::Channel kChannel = mesh::bus::v1::CHANNEL_MESSENGER;

class MessengerCodec final : public Codec {
 public:
  mesh::bus::v1::Channel channel() const override { return kChannel; }

  absl::StatusOr<std::vector<Event>> Decode(std::string_view body) const override {
    return DecodeBody(body, "page", kChannel, [](const json::Value& entry, EventList& events) {
      DecodeMessagingEntry(entry, kChannel, events);
    });
  }

  // The Send API has no field for a quoted message that pages may use.
  OutboundRequest EncodePart(const account::Account& account, std::string_view user, const OutboundPart& part,
                             std::string_view /*in_reply_to_message_id*/,
                             std::string_view reply_id_hex) const override {
    return MakeSendRequest(account, MessagingBody(user, part, kChannel, reply_id_hex));
  }

  SendAnswer DecodeAnswer(int http_status, std::string_view body) const override {
    return DecodeSendAnswer(http_status, body, [](const json::Value& root) { return IdOf(root.Find("message_id")); });
  }

  std::vector<OutboundRequest> EncodePresence(const account::Account& account, std::string_view user,
                                              std::string_view /*message_id*/, PresenceKind kind) const override {
    return MakeSenderActions(account, user, kind);
  }

  std::vector<std::string> Split(std::string_view text, std::size_t parts_max) const override {
    return SplitText(FormatMarkdown(text, Markup::kPlain), kMessengerTextLimit, parts_max);
  }

  std::vector<OutboundPart> Fit(const OutboundPart& part) const override {
    return FitMessagingPart(part, kChannel, kMessengerTextLimit);
  }
};

}  // namespace

const Codec& GetCodec() {
  static const MessengerCodec codec;
  return codec;
}

}  // namespace channel::messenger
