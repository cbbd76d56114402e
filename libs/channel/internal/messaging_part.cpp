#include "libs/channel/internal/messaging_part.h"

#include <utility>

#include "libs/json/writer.h"

namespace channel {
namespace {

using mesh::bus::v1::Channel;
using mesh::bus::v1::CHANNEL_INSTAGRAM;
using mesh::bus::v1::CHANNEL_MESSENGER;
using mesh::bus::v1::OutboundChoices;
using mesh::bus::v1::OutboundMedia;
using mesh::bus::v1::OutboundPart;

constexpr std::size_t kQuickRepliesMax = 13;
constexpr std::size_t kQuickReplyTitleMax = 20;
constexpr std::size_t kPayloadBytesMax = 1000;

// The platform's word for the file; "" for what it cannot carry.
std::string_view AttachmentType(const OutboundMedia& media, Channel channel) {
  const std::string& type = media.type();
  if (type == "image" || type == "sticker") return "image";
  if (type == "audio") return "audio";
  if (type == "video") return "video";
  if (type != "document" && type != "file") return "";
  // Instagram's only document.
  const std::string path = media.link().substr(0, media.link().find('?'));
  const bool is_pdf = !media.id().empty() || path.ends_with(".pdf");
  return channel == CHANNEL_MESSENGER || is_pdf ? "file" : "";
}

void FitMedia(const OutboundMedia& media, Channel channel, TextLimit limit, Parts& parts) {
  const std::string_view type = AttachmentType(media, channel);
  const bool has_file = !media.id().empty() || media.link().starts_with("https://");
  if (type.empty() || !has_file) return AddMediaAsText(media, Markup::kPlain, limit, parts);
  OutboundMedia fitted;
  fitted.set_type(std::string(type));
  fitted.set_caption(media.caption());
  media.id().empty() ? fitted.set_link(media.link()) : fitted.set_id(media.id());
  AddMediaBehindCaption(std::move(fitted), Markup::kPlain, limit, parts);
}

void WriteAttachment(const OutboundMedia& media, json::Writer& json) {
  json.Key("attachment");
  json.BeginObject();
  json.Field("type", media.type());
  json.Key("payload");
  json.BeginObject();
  if (!media.id().empty()) {
    json.Field("attachment_id", media.id());
  } else {
    json.Field("url", media.link());
  }
  json.EndObject();
  json.EndObject();
}

void WriteQuickReplies(const OutboundChoices& choices, json::Writer& json) {
  json.Field("text", choices.text());
  json.Key("quick_replies");
  json.BeginArray();
  for (const OutboundChoices::Choice& choice : choices.choices()) {
    json.BeginObject();
    json.Field("content_type", "text");
    json.Field("title", choice.title());
    json.Field("payload", choice.id());
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

Parts FitMessagingPart(const OutboundPart& part, Channel channel, TextLimit limit) {
  Parts parts;
  switch (part.body_case()) {
    case OutboundPart::kText:
      for (std::string& text : SplitText(part.text(), limit)) parts.emplace_back().set_text(std::move(text));
      break;
    case OutboundPart::kMedia:
      FitMedia(part.media(), channel, limit, parts);
      break;
    case OutboundPart::kChoices: {
      const ChoiceLimits limits{.question = limit,
                                .choices_max = kQuickRepliesMax,
                                .title_max = kQuickReplyTitleMax,
                                .id_bytes_max = kPayloadBytesMax};
      if (auto choices = FitChoices(part.choices(), Markup::kPlain, limits, parts)) {
        *parts.emplace_back().mutable_choices() = *std::move(choices);
      } else {
        AddChoicesAsText(part.choices(), Markup::kPlain, limit, parts);
      }
      break;
    }
    case OutboundPart::kReaction:
      // A reaction here is answered without a message id and seen by no echo, so nobody could tell whether it came.
      AddText(part.reaction().emoji(), Markup::kPlain, limit, parts);
      break;
    case OutboundPart::kTemplate:  // the platform's own words, which only WhatsApp has
    case OutboundPart::BODY_NOT_SET:
      break;
  }
  return parts;
}

std::string MessagingBody(std::string_view user, const OutboundPart& part, Channel channel, std::string_view metadata) {
  json::Writer json;
  json.BeginObject();
  json.Key("recipient");
  json.BeginObject();
  json.Field("id", user);
  json.EndObject();
  if (channel != CHANNEL_INSTAGRAM) json.Field("messaging_type", "RESPONSE");
  json.Key("message");
  json.BeginObject();
  if (part.has_media()) {
    WriteAttachment(part.media(), json);
  } else if (part.has_choices()) {
    WriteQuickReplies(part.choices(), json);
  } else {
    json.Field("text", part.text());
  }
  if (channel != CHANNEL_INSTAGRAM && !metadata.empty()) json.Field("metadata", metadata);
  json.EndObject();
  json.EndObject();
  return std::move(json).Take();
}

}  // namespace channel
